// CPU kernels of a Transformer for packed sequences: linear layers act(x·Wᵀ + b) + add in fp32, bf16 and int8, layer
// norm, attention, and top-k.
//
// C functions over pointers, called by ctypes. One matrix product serves all three precisions: a 32-bit word of a row
// of x (one fp32, two bf16 or four int8 numbers) is multiplied by the same word of `LANES × VECTORS` rows of W, stored
// side by side in a panel, and added to as many sums, which stay in registers until they are complete. The blocking is
// that of https://www.cs.utexas.edu/~flame/pubs/GotoTOMS_revision.pdf. Sums run over k in the same order for any number
// of rows, so that a sentence gets the same bits alone and in a batch.
//
// Vectors are GCC's, https://gcc.gnu.org/onlinedocs/gcc/Vector-Extensions.html; the compiler's flags set their width.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>
#include <limits>
#include <type_traits>
#include <vector>

namespace {

#ifdef __AVX512F__
constexpr int LANES = 16, VECTORS = 4;  // 6 × 4 sums, 4 vectors of W and one of x: 29 registers of 32
#else
constexpr int LANES = 8, VECTORS = 2;  // 6 × 2 sums: 15 of 16
#endif
constexpr int TILE_ROWS = 6, PANEL_ROWS = LANES * VECTORS;
constexpr ptrdiff_t BLOCK_WORDS = 1024;              // words of k per block, so that a panel of W stays in the L2 cache
constexpr ptrdiff_t BLOCK_BYTES = 192 * 1024;        // bytes of x per block, for the same reason
constexpr ptrdiff_t MAX_DIRECT_QUERIES = 2;          // queries per sequence for which keys are not transposed
constexpr ptrdiff_t MIN_PARALLEL_NUMBERS = 1 << 16;  // numbers that one thread processes before another has started

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef uint16_t vh __attribute__((vector_size(LANES * 2)));
typedef uint8_t vb __attribute__((vector_size(LANES)));

template <class V, class T>
inline V load(const T* at) {
  V v;
  memcpy(&v, at, sizeof v);
  return v;
}
template <class V, class T>
inline void store(T* at, V v) {
  memcpy(at, &v, sizeof v);
}
template <class To, class From>
inline To bits(From v) {
  To to;
  memcpy(&to, &v, sizeof to);
  return to;
}
inline vf broadcast(float x) { return x - vf{}; }

inline float to_float(uint16_t x) { return bits<float>(uint32_t(x) << 16); }
inline float to_float(float x) { return x; }
inline vf load_float(const float* at) { return load<vf>(at); }
inline vf load_float(const uint16_t* at) { return bits<vf>(__builtin_convertvector(load<vh>(at), vi) << 16); }
inline void store_float(float* at, vf v) { store(at, v); }
inline void store_float(uint16_t* at, vf v) {  // rounds to nearest, ties to even
#ifdef __AVX512BF16__
  store(at, _mm512_cvtneps_pbh(bits<__m512>(v)));
#else
  vi b = bits<vi>(v), rounded = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
  store(at, __builtin_convertvector(v == v ? rounded : (b >> 16) | 0x40, vh));  // NaN stays NaN
#endif
}

// Minimum and maximum per lane; NaN propagates from the second operand.
inline vf minimum(vf a, vf b) { return a < b ? a : b; }
inline vf maximum(vf a, vf b) { return a > b ? a : b; }

// Reduction of all lanes: each lane with the one HALF away, then by halves.
template <int HALF = LANES / 2, class F>
inline float reduce(vf v, F f) {
  if constexpr (HALF == 0)
    return v[0];
  else {
    vi other;
    for (int i = 0; i < LANES; i++) other[i] = i ^ HALF;
    return reduce<HALF / 2>(f(v, __builtin_shuffle(v, other)), f);
  }
}
inline float reduce_max(vf v) { return reduce(v, maximum); }
inline float reduce_sum(vf v) {
  return reduce(v, [](vf a, vf b) { return a + b; });
}

// eˣ to about 1e-7: 2ⁿ by the exponent bits, the rest by its series.
inline vf exponential(vf x) {
  x = maximum(broadcast(-87.0f), minimum(broadcast(88.0f), x));
  vf n = x * 1.44269504f + 12582912.0f;  // the nearest integer, in the low bits
  vi whole = bits<vi>(n) - bits<vi>(broadcast(12582912.0f));
  n -= 12582912.0f;
  vf r = x - n * 0.693359375f + n * 2.12194440e-4f;
  vf p = broadcast(1.0f / 5040);
  for (float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = p * r + c;
  return p * bits<vf>((whole + 127) << 23);
}

// x·P(x²), P fitted at Chebyshev points of |x| ≤ 4 to about 3e-7; beyond that erf is ±1 in fp32.
inline vf erf(vf x, float) {
  x = maximum(broadcast(-4.0f), minimum(broadcast(4.0f), x));
  vf u = x * x * 0.125f - 1.0f, p = vf{};
  for (float c : {0.00237777759f, -0.00593571039f, 0.00375093124f, -0.00323996157f, 0.0145590445f, -0.0265476499f,
                  0.0333403349f, -0.0441596173f, 0.0597130731f, -0.0750461966f, 0.0902441815f, -0.10768307f,
                  0.13167277f, -0.176576898f, 0.353531033f})
    p = p * u + c;
  return p * x;
}

// The same for |x| ≤ 3 to about 2e-5, for bf16 results.
inline vf erf(vf x, uint16_t) {
  x = maximum(broadcast(-3.0f), minimum(broadcast(3.0f), x));
  vf u = x * x * 0.222222222f - 1.0f, p = vf{};
  for (float c : {0.006754524f, -0.01788026f, 0.02429862f, -0.03972952f, 0.07199569f, -0.1111348f, 0.1576291f,
                  -0.2287303f, 0.4701278f})
    p = p * u + c;
  return p * x;
}

inline vf sigmoid(vf x) { return 1.0f / (1.0f + exponential(-x)); }

enum Act { NONE, RELU, GELU, GELU_TANH, SILU, TANH };

template <class Y>
inline vf activate(vf x, int act) {
  switch (act) {
    case RELU:
      return maximum(vf{}, x);
    case GELU:
      return 0.5f * x * (1.0f + erf(x * 0.70710678f, Y{}));
    case GELU_TANH:
      return x * sigmoid(1.59576912f * (x + 0.044715f * x * x * x));
    case SILU:
      return x * sigmoid(x);
    case TANH:
      return 2.0f * sigmoid(2.0f * x) - 1.0f;
    default:
      return x;
  }
}

// sum += a word of x, in every lane, × LANES words of W.
struct Fp32 {
  typedef vf Sum;
  static inline vf dot(vf sum, int32_t x, vi w) { return sum + bits<float>(x) * bits<vf>(w); }
  static inline vf to_float(vf sum) { return sum; }
};

struct Int8 {  // unsigned x, signed W
  typedef vi Sum;
  static inline vi dot(vi sum, int32_t x, vi w) {
#ifdef __AVX512VNNI__
    return bits<vi>(_mm512_dpbusd_epi32(bits<__m512i>(sum), _mm512_set1_epi32(x), bits<__m512i>(w)));
#elif defined(__AVX512F__)
#error "compile for AVX-512 with VNNI"
#elif defined(__AVXVNNI__)
    return bits<vi>(_mm256_dpbusd_avx_epi32(bits<__m256i>(sum), _mm256_set1_epi32(x), bits<__m256i>(w)));
#else  // adds pairs in 16 bits: neighbours in W must be at most 128 together
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi32(x), bits<__m256i>(w));
    return sum + bits<vi>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
  }
  static inline vf to_float(vi sum) { return __builtin_convertvector(sum, vf); }
};

#ifdef __AVX512BF16__
struct Bf16 {
  typedef vf Sum;
  static inline vf dot(vf sum, int32_t x, vi w) {
    return bits<vf>(_mm512_dpbf16_ps(bits<__m512>(sum), bits<__m512bh>(_mm512_set1_epi32(x)), bits<__m512bh>(w)));
  }
  static inline vf to_float(vf sum) { return sum; }
};
#endif

// M rows of x, `stride` bytes apart, × V vectors of a panel, over `steps` words.
template <class P, int M, int V>
inline __attribute__((always_inline)) void multiply(typename P::Sum (&sum)[M][V], const char* x, ptrdiff_t stride,
                                                    const char* w, ptrdiff_t steps, ptrdiff_t wide) {
  for (ptrdiff_t s = 0; s < steps; s++) {
    vi b[V];
    for (int j = 0; j < V; j++) b[j] = load<vi>(w + s * wide + j * LANES * 4);
    for (int i = 0; i < M; i++) {
      int32_t word = load<int32_t>(x + i * stride + s * 4);
      for (int j = 0; j < V; j++) sum[i][j] = P::dot(sum[i][j], word, b[j]);
    }
  }
}

struct Weights {
  const char* panels;                  // (n / PANEL_ROWS, k / word, PANEL_ROWS, word)
  const float *bias, *scale, *offset;  // (n,) each, padded to panels; the last two for int8
  const float* inv_smooth;             // (k,), or null: factors of x before quantisation
  ptrdiff_t n, k;
  float input_min;  // int8: x · inv_smooth = scale · (byte − zero_point) + input_min
  int zero_point;
  int word, act;  // word: numbers per 32 bits, 1 for fp32, 2 for bf16, 4 for int8
};

struct Linear {
  const Weights& w;
  const void* x;                  // (rows, k)
  ptrdiff_t rows, stride, steps;  // bytes between rows of the multiplied x, words per row
  char* bytes;                    // (rows, stride): x as int8, with
  float* scale;                   // (rows,)
  const void* add;                // (rows, n), or null
  void* y;                        // (rows, n)
};

// Writes rows `row` to `row + M` of a panel's columns: dequantisation, bias, activation and residual.
template <class P, class Y, int M>
inline void write_tile(const Linear& l, typename P::Sum (&sum)[M][VECTORS], ptrdiff_t row, ptrdiff_t column) {
  const ptrdiff_t left = l.w.n - column;
  for (int i = 0; i < M; i++) {
    Y* y = (Y*)l.y + (row + i) * l.w.n + column;
    const Y* add = l.add ? (const Y*)l.add + (row + i) * l.w.n + column : nullptr;
    for (int j = 0; j < VECTORS; j++) {
      const ptrdiff_t at = column + j * LANES;
      if (j * LANES >= left) break;
      vf v = P::to_float(sum[i][j]);
      if (l.scale) v = (v * load_float(l.w.scale + at) + load_float(l.w.offset + at)) * l.scale[row + i];
      v = activate<Y>(v + load_float(l.w.bias + at), l.w.act);
      if ((j + 1) * LANES <= left) {
        if (add) v += load_float(add + j * LANES);
        store_float(y + j * LANES, v);
      } else {
        Y part[LANES];
        const size_t bytes = (left - j * LANES) * sizeof(Y);
        if (add) {
          memset(part, 0, sizeof part);
          memcpy(part, add + j * LANES, bytes);
          v += load_float(part);
        }
        store_float(part, v);
        memcpy(y + j * LANES, part, bytes);
      }
    }
  }
}

template <class P, class Y, int M>
void tile(const Linear& l, typename P::Sum* partial, ptrdiff_t row, ptrdiff_t column, ptrdiff_t from, ptrdiff_t to) {
  typename P::Sum sum[M][VECTORS] = {};
  if (from) memcpy(sum, partial, sizeof sum);
  const char* w = l.w.panels + (column / PANEL_ROWS * l.steps + from) * PANEL_ROWS * 4;
  multiply<P, M, VECTORS>(sum, (l.scale ? l.bytes : (const char*)l.x) + row * l.stride + from * 4, l.stride, w,
                          to - from, PANEL_ROWS * 4);
  if (to < l.steps)
    memcpy(partial, sum, sizeof sum);
  else
    write_tile<P, Y, M>(l, sum, row, column);
}

template <class P, class Y, int M = TILE_ROWS>
inline void tiles(const Linear& l, typename P::Sum* partial, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column,
                  ptrdiff_t from, ptrdiff_t to) {
  if (rows == M) return tile<P, Y, M>(l, partial, row, column, from, to);
  if constexpr (M > 1) tiles<P, Y, M - 1>(l, partial, row, rows, column, from, to);
}

// Quantises a row: x · inv_smooth = scale · (byte − zero_point) + input_min; with zero_point 0, input_min is the
// minimum.
template <class X>
void quantise(const Weights& w, const X* from, ptrdiff_t stride, uint8_t* to, float* scale) {
  const ptrdiff_t k = w.k;
  const float *inv_smooth = w.inv_smooth, input_min = w.input_min;
  const bool symmetric = w.zero_point;
  vf highest = broadcast(symmetric ? 0.0f : -3e38f), non_finite = {};  // NaN if a number of the row is NaN or infinite
  ptrdiff_t i = 0;
  for (; i + LANES <= k; i += LANES) {
    vf v = load_float(from + i);
    if (inv_smooth) v *= load_float(inv_smooth + i);
    non_finite += v - v;
    highest = maximum(highest, symmetric ? bits<vf>(bits<vi>(v) & 0x7fffffff) : v);
  }
  float top = reduce_max(highest), any_non_finite = reduce_sum(non_finite);
  for (; i < k; i++) {
    float v = to_float(from[i]) * (inv_smooth ? inv_smooth[i] : 1.0f);
    any_non_finite += v - v;
    if (symmetric && v < 0) v = -v;
    top = v > top ? v : top;
  }
  const float range = top - input_min, s = (range > 1e-30f ? range : 1e-30f) / (symmetric ? 127 : 255);
  *scale = s + any_non_finite;
  const float factor = 1.0f / s, offset = 12582912.0f + w.zero_point;
  // never below 0: a number just below the minimum would become the largest byte
  auto byte = [&](vf v) {
    return __builtin_convertvector(bits<vi>(maximum(broadcast(12582912.0f), (v - input_min) * factor + offset)) & 255,
                                   vb);
  };
  for (i = 0; i + LANES <= k; i += LANES) {
    vf v = load_float(from + i);
    if (inv_smooth) v *= load_float(inv_smooth + i);
    store(to + i, byte(v));
  }
  for (; i < k; i++) to[i] = byte(broadcast(to_float(from[i]) * (inv_smooth ? inv_smooth[i] : 1.0f)))[0];
  for (; i < stride; i++) to[i] = 0;
}

template <class P, class X, class Y>
void linear(const Linear& l, int threads) {
  ptrdiff_t block = BLOCK_BYTES / l.stride / TILE_ROWS * TILE_ROWS;
  block = block < 2 * TILE_ROWS ? 2 * TILE_ROWS : block > 16 * TILE_ROWS ? 16 * TILE_ROWS : block;
  const ptrdiff_t blocks = (l.rows + block - 1) / block, panels = (l.w.n + PANEL_ROWS - 1) / PANEL_ROWS;
  auto to_bytes = [&](ptrdiff_t row) {
    if constexpr (std::is_same_v<P, Int8>)
      quantise(l.w, (const X*)l.x + row * l.w.k, l.stride, (uint8_t*)l.bytes + row * l.stride, l.scale + row);
  };
  const bool is_small = l.rows * l.w.k <= MIN_PARALLEL_NUMBERS;
  for (ptrdiff_t row = 0; is_small && row < l.rows; row++) to_bytes(row);
  if (l.rows * l.steps * l.w.n <= 8 * MIN_PARALLEL_NUMBERS) threads = 1;
#pragma omp parallel num_threads(threads)
  {
    std::vector<typename P::Sum> partial(l.steps > BLOCK_WORDS ? block * VECTORS : 0);
    if (!is_small) {
#pragma omp for schedule(static)
      for (ptrdiff_t row = 0; row < l.rows; row++) to_bytes(row);
    }
#pragma omp for schedule(dynamic, 1)
    for (ptrdiff_t task = 0; task < blocks * panels; task++) {
      const ptrdiff_t first = task / panels * block, column = task % panels * PANEL_ROWS;
      const ptrdiff_t last = first + block < l.rows ? first + block : l.rows;
      for (ptrdiff_t from = 0; from < l.steps; from += BLOCK_WORDS) {
        const ptrdiff_t to = from + BLOCK_WORDS < l.steps ? from + BLOCK_WORDS : l.steps;
        for (ptrdiff_t row = first; row < last; row += TILE_ROWS)
          tiles<P, Y>(l, partial.data() + (row - first) * VECTORS, row, last - row < TILE_ROWS ? last - row : TILE_ROWS,
                      column, from, to);
      }
    }
  }
}

// Layer norm per row, (x − mean) / √(variance + eps) · weight + bias; k is a multiple of LANES.
template <class X>
void norm(const X* x, ptrdiff_t rows, ptrdiff_t k, const float* weight, const float* bias, float eps, X* y,
          int threads) {
#pragma omp parallel for num_threads(rows* k <= MIN_PARALLEL_NUMBERS ? 1 : threads) schedule(static)
  for (ptrdiff_t row = 0; row < rows; row++) {
    const X* from = x + row * k;
    vf sum = {}, squares = {};
    for (ptrdiff_t i = 0; i < k; i += LANES) sum += load_float(from + i);
    const float mean = reduce_sum(sum) / k;
    for (ptrdiff_t i = 0; i < k; i += LANES) {
      vf v = load_float(from + i) - mean;
      squares += v * v;
    }
    const float factor = 1.0f / std::sqrt(reduce_sum(squares) / k + eps);
    for (ptrdiff_t i = 0; i < k; i += LANES)
      store_float(y + row * k + i,
                  (load_float(from + i) - mean) * factor * load_float(weight + i) + load_float(bias + i));
  }
}

struct Attention {
  const void *q, *k, *v;  // rows of heads, `stride` numbers apart
  ptrdiff_t q_stride, k_stride;
  const int32_t *queries, *keys;  // the start of each sequence, and the end of the last one
  const int32_t* indices;         // the row of k and v of each key; null: consecutive rows
  ptrdiff_t sequences, heads, width;
  float scale;
  bool causal;  // queries are a sequence's last tokens and attend to no later ones
  void* y;      // (rows, heads · width)
};

// Calls f(number of vectors, first column) for `count` vectors in groups.
template <int V = VECTORS, class F>
inline void columns(ptrdiff_t count, F f, ptrdiff_t at = 0) {
  for (; at + V <= count; at += V) f(std::integral_constant<int, V>{}, at * LANES);
  if constexpr (V > 1) columns<V - 1>(count, f, at);
}

// Transposes LANES rows of LANES numbers, each row a vector: swaps halves, then quarters, …
template <int HALF = LANES / 2>
inline __attribute__((always_inline)) void transpose(vf (&r)[LANES]) {
  vi low, high;
  for (int i = 0; i < LANES; i++) {
    low[i] = i & HALF ? LANES + i - HALF : i;
    high[i] = i & HALF ? LANES + i : i + HALF;
  }
  for (int i = 0; i < LANES; i++) {
    if (i & HALF) continue;
    vf a = r[i], b = r[i + HALF];
    r[i] = __builtin_shuffle(a, b, low);
    r[i + HALF] = __builtin_shuffle(a, b, high);
  }
  if constexpr (HALF > 1) transpose<HALF / 2>(r);
}

// Replaces scores (padded,) by exponentials, 0 beyond the first `visible`; returns 1 / their sum, softmax's factor.
inline float softmax(float* s, ptrdiff_t visible, ptrdiff_t padded) {
  visible = visible > 0 ? visible : 0;
  for (ptrdiff_t j = visible; j < padded; j++)
    s[j] = -1e30f;  // its exponential is about 1e-38, and 0 if all are masked
  vf top = broadcast(-1e30f), sum = {};
  for (ptrdiff_t j = 0; j < padded; j += LANES) top = maximum(top, load_float(s + j));
  const float m = reduce_max(top);
  for (ptrdiff_t j = 0; j < padded; j += LANES) {
    vf e = exponential(load_float(s + j) - m);
    sum += e;
    store_float(s + j, e);
  }
  return visible ? 1.0f / reduce_sum(sum) : 0.0f;
}

// Attention of M queries of a head: scores of all keys, softmax, weighted sum of values. The first query attends to
// `visible` keys, and with `causal_step` each to one more than the query before it.
template <class X, int M>
void attend_tile(const Attention& a, const float* q, const float* kt, const float* v, float* scores, ptrdiff_t keys,
                 ptrdiff_t visible, int causal_step, X* y) {
  const ptrdiff_t vectors = (keys + LANES - 1) / LANES, padded = vectors * LANES;
  columns(vectors, [&](auto count, ptrdiff_t column) {
    constexpr int V = decltype(count)::value;
    vf sum[M][V] = {};
    multiply<Fp32, M, V>(sum, (const char*)q, a.width * 4, (const char*)(kt + column), a.width, padded * 4);
    for (int i = 0; i < M; i++)
      for (int j = 0; j < V; j++) store_float(scores + i * padded + column + j * LANES, sum[i][j]);
  });
  float inverse[M];
  for (int i = 0; i < M; i++) inverse[i] = softmax(scores + i * padded, visible + i * causal_step, padded);
  columns(a.width / LANES, [&](auto count, ptrdiff_t column) {
    constexpr int V = decltype(count)::value;
    vf sum[M][V] = {};
    multiply<Fp32, M, V>(sum, (const char*)scores, padded * 4, (const char*)(v + column), keys, a.width * 4);
    for (int i = 0; i < M; i++)
      for (int j = 0; j < V; j++) store_float(y + i * a.heads * a.width + column + j * LANES, sum[i][j] * inverse[i]);
  });
}

template <class X, int M = TILE_ROWS>
inline void attend_tiles(int rows, const Attention& a, const float* q, const float* kt, const float* v, float* scores,
                         ptrdiff_t keys, ptrdiff_t visible, int causal_step, X* y) {
  if (rows == M) return attend_tile<X, M>(a, q, kt, v, scores, keys, visible, causal_step, y);
  if constexpr (M > 1) attend_tiles<X, M - 1>(rows, a, q, kt, v, scores, keys, visible, causal_step, y);
}

// Attention of one query of a head without copies: `at` returns the offset of each key and value.
template <class X, class At>
void attend_query(const Attention& a, const float* q, const X* k, const X* v, At at, float* scores, ptrdiff_t visible,
                  X* y) {
  const ptrdiff_t padded = (visible + LANES - 1) / LANES * LANES;
  for (ptrdiff_t j = 0; j < visible; j++) {
    const X* key = k + at(j);
    vf sum = {};
    for (ptrdiff_t c = 0; c < a.width; c += LANES) sum += load_float(q + c) * load_float(key + c);
    scores[j] = reduce_sum(sum);
  }
  const float inverse = softmax(scores, visible, padded);
  columns(a.width / LANES, [&](auto count, ptrdiff_t column) {
    constexpr int V = decltype(count)::value;
    vf sum[V] = {};
    for (ptrdiff_t j = 0; j < visible; j++) {
      const X* value = v + at(j) + column;
      for (int i = 0; i < V; i++) sum[i] += scores[j] * load_float(value + i * LANES);
    }
    for (int i = 0; i < V; i++) store_float(y + column + i * LANES, sum[i] * inverse);
  });
}

template <class X>
void attend(const Attention& a, int threads) {
  const ptrdiff_t size = a.sequences ? (a.queries[a.sequences] + a.keys[a.sequences]) * a.heads * a.width : 0;
  const int chunk = a.sequences >= 4 * threads ? a.heads : 1;
#pragma omp parallel num_threads(size <= MIN_PARALLEL_NUMBERS ? 1 : threads)
  {
    std::vector<float> scratch;
#pragma omp for schedule(dynamic, chunk)
    for (ptrdiff_t task = 0; task < a.sequences * a.heads; task++) {
      const ptrdiff_t n = task / a.heads, head = task % a.heads, width = a.width;
      const ptrdiff_t first = a.queries[n], queries = a.queries[n + 1] - first, start = a.keys[n],
                      keys = a.keys[n + 1] - start;
      if (!queries) continue;
      const ptrdiff_t padded = (keys + LANES - 1) / LANES * LANES;
      scratch.resize(2 * padded * width + TILE_ROWS * (width + padded));
      float *kt = scratch.data(), *v = kt + padded * width, *q = v + padded * width, *scores = q + TILE_ROWS * width;
      const X *ks = (const X*)a.k + head * width, *vs = (const X*)a.v + head * width;
      auto at = [&](ptrdiff_t j) { return (a.indices ? a.indices[start + j] : start + j) * a.k_stride; };
      auto scaled = [&](ptrdiff_t row, float* to) {
        for (ptrdiff_t c = 0; c < width; c += LANES)
          store_float(to + c, load_float((const X*)a.q + (first + row) * a.q_stride + head * width + c) * a.scale);
      };
      auto visible = [&](ptrdiff_t row) { return a.causal ? keys - queries + row + 1 : keys; };  // may be negative
      X* y = (X*)a.y + (first * a.heads + head) * width;
      if (queries <= MAX_DIRECT_QUERIES) {
        for (ptrdiff_t row = 0; row < queries; row++) {
          scaled(row, q);
          attend_query(a, q, ks, vs, at, scores, visible(row), y + row * a.heads * width);
        }
        continue;
      }
      for (ptrdiff_t j = 0; j < padded; j += LANES)
        for (ptrdiff_t c = 0; c < width; c += LANES) {
          vf block[LANES];
          for (int i = 0; i < LANES; i++) block[i] = j + i < keys ? load_float(ks + at(j + i) + c) : vf{};
          transpose(block);
          for (int i = 0; i < LANES; i++) store_float(kt + (c + i) * padded + j, block[i]);
        }
      for (ptrdiff_t j = 0; j < keys; j++)
        for (ptrdiff_t c = 0; c < width; c += LANES) store_float(v + j * width + c, load_float(vs + at(j) + c));
      for (ptrdiff_t row = 0; row < queries; row += TILE_ROWS) {
        const int rows = queries - row < TILE_ROWS ? queries - row : TILE_ROWS;
        for (int i = 0; i < rows; i++) scaled(row + i, q + i * width);
        attend_tiles<X>(rows, a, q, kt, v, scores, keys, visible(row), a.causal, y + row * a.heads * width);
      }
    }
  }
}

// The lanes in which a > b, as bits.
inline unsigned larger(vf a, vf b) {
#ifdef __AVX512F__
  return _mm512_cmp_ps_mask(bits<__m512>(a), bits<__m512>(b), _CMP_GT_OQ);
#else
  return _mm256_movemask_ps(_mm256_cmp_ps(bits<__m256>(a), bits<__m256>(b), _CMP_GT_OQ));
#endif
}

// Returns a row's log-sum-exp, and writes its `count` largest numbers that are not banned, the largest first and equal
// ones in their order. If there are fewer, the rest is -inf, with the first indices.
float top_k(const float* x, ptrdiff_t n, ptrdiff_t count, const int32_t* banned, const int32_t* banned_end,
            float* values, int64_t* indices) {
  constexpr ptrdiff_t PART = 64 * LANES;  // stays in the L1 cache between maximum and sum
  const float minus_inf = -std::numeric_limits<float>::infinity();
  ptrdiff_t found = 0;
  float m = -3e38f;
  vf sum = {};
  auto insert = [&](float value, ptrdiff_t place) {
    if (found == count && !(value > values[count - 1])) return;
    for (const int32_t* b = banned; b < banned_end; b++)
      if (*b == place) return;
    ptrdiff_t at = found < count ? found++ : count - 1;
    for (; at && value > values[at - 1]; at--) values[at] = values[at - 1], indices[at] = indices[at - 1];
    values[at] = value, indices[at] = place;
  };
  for (ptrdiff_t from = 0; from < n; from += PART) {
    const ptrdiff_t to = from + PART < n ? from + PART : n;
    float part[LANES];
    auto load_part = [&](ptrdiff_t i) {  // -inf beyond the row's end
      if (i + LANES <= n) return load_float(x + i);
      for (int j = 0; j < LANES; j++) part[j] = i + j < n ? x[i + j] : minus_inf;
      return load_float(part);
    };
    vf top = broadcast(minus_inf);
    for (ptrdiff_t i = from; i < to; i += LANES) top = maximum(top, load_part(i));
    const float highest = reduce_max(top);
    if (highest > m) {
      sum *= exponential(broadcast(m - highest));
      m = highest;
    }
    for (ptrdiff_t i = from; i < to; i += LANES) sum += exponential(load_part(i) - m);
    if (count && (found < count || highest > values[count - 1]))
      for (ptrdiff_t i = from; i < to; i += LANES) {
        const vf v = load_part(i);
        for (unsigned over = larger(v, broadcast(found < count ? minus_inf : values[count - 1])); over;
             over &= over - 1) {
          const int j = __builtin_ctz(over);
          insert(v[j], i + j);
        }
      }
  }
  for (ptrdiff_t place = 0; found < count; place++)
    values[found] = minus_inf, indices[found++] = place < n ? place : n - 1;
  return m > -3e38f ? m + std::log(reduce_sum(sum)) : minus_inf;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int gatonegro_version() { return 2; }  // of these functions' signatures

int gatonegro_wide() { return PANEL_ROWS; }

// y_is_bf16: add and y are bf16. scratch, for int8: rows · (4 + k rounded up to a multiple of 4) bytes.
void gatonegro_linear(const Weights* w, const void* x, int x_is_bf16, ptrdiff_t rows, void* scratch, const void* add,
                      void* y, int y_is_bf16, int threads) {
  const ptrdiff_t steps = (w->k + w->word - 1) / w->word;
  float* scale = w->word == 4 ? (float*)scratch : nullptr;
  const Linear l{*w, x, rows, steps * 4, steps, (char*)scratch + rows * 4, scale, add, y};
  if (w->word == 1) return linear<Fp32, float, float>(l, threads);
#ifdef __AVX512BF16__
  if (w->word == 2 && y_is_bf16) return linear<Bf16, uint16_t, uint16_t>(l, threads);
  if (w->word == 2) return linear<Bf16, uint16_t, float>(l, threads);
#endif
  if (x_is_bf16 && y_is_bf16) return linear<Int8, uint16_t, uint16_t>(l, threads);
  if (x_is_bf16) return linear<Int8, uint16_t, float>(l, threads);
  if (y_is_bf16) return linear<Int8, float, uint16_t>(l, threads);
  linear<Int8, float, float>(l, threads);
}

void gatonegro_norm(const void* x, int is_bf16, ptrdiff_t rows, ptrdiff_t k, const float* weight, const float* bias,
                    float eps, void* y, int threads) {
  if (is_bf16)
    norm((const uint16_t*)x, rows, k, weight, bias, eps, (uint16_t*)y, threads);
  else
    norm((const float*)x, rows, k, weight, bias, eps, (float*)y, threads);
}

void gatonegro_attend(const void* q, const void* k, const void* v, int is_bf16, ptrdiff_t q_stride, ptrdiff_t k_stride,
                      const int32_t* queries, const int32_t* keys, const int32_t* indices, ptrdiff_t sequences,
                      ptrdiff_t heads, ptrdiff_t width, float scale, int causal, void* y, int threads) {
  const Attention a{q,       k,         v,     q_stride, k_stride, queries,      keys,
                    indices, sequences, heads, width,    scale,    bool(causal), y};
  if (is_bf16)
    attend<uint16_t>(a, threads);
  else
    attend<float>(a, threads);
}

// banned: each row's indices that are left out of its `count` largest numbers; those of row i begin at starts[i].
void gatonegro_best(const float* x, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t count, const int32_t* starts,
                    const int32_t* banned, float* values, int64_t* indices, float* sums, int threads) {
#pragma omp parallel for num_threads(rows* n <= MIN_PARALLEL_NUMBERS ? 1 : threads) schedule(dynamic, 1)
  for (ptrdiff_t i = 0; i < rows; i++)
    sums[i] =
        top_k(x + i * n, n, count, banned + starts[i], banned + starts[i + 1], values + i * count, indices + i * count);
}
}
#pragma GCC visibility pop
