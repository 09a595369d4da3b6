// What a Transformer's layers compute, for packed sequences: act(x·Wᵀ + b) + add in fp32, bf16 and int8, and attention.
//
// Plain C functions over pointers, called by ctypes. One multiplication serves all three precisions: a 32-bit word of a
// row of x (one fp32, two bf16, four int8 numbers) is multiplied with the same word of `LANES × VECTORS` rows of W,
// which lie side by side in a panel, and added to as many sums, which stay in registers until they are written for
// good. The blocking is that of https://www.cs.utexas.edu/~flame/pubs/GotoTOMS_revision.pdf. Sums run over k in one
// order whatever the number of rows, so that a sentence gets the same bits alone and among others.
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
constexpr int ROWS = 6, WIDE = LANES * VECTORS;
constexpr ptrdiff_t STEPS = 1024;        // words of k at a time: a panel of W then stays in the second cache
constexpr ptrdiff_t BLOCK = 192 * 1024;  // bytes of x at a time, for the same reason
constexpr ptrdiff_t FEW = 2;             // queries for which keys are not worth laying out
constexpr ptrdiff_t LITTLE = 1 << 16;    // numbers that one thread has read and written before another has woken

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
inline vf all(float x) { return x - vf{}; }

inline float number(uint16_t x) { return bits<float>(uint32_t(x) << 16); }
inline float number(float x) { return x; }
inline vf read(const float* at) { return load<vf>(at); }
inline vf read(const uint16_t* at) { return bits<vf>(__builtin_convertvector(load<vh>(at), vi) << 16); }
inline void write(float* at, vf v) { store(at, v); }
inline void write(uint16_t* at, vf v) {  // rounded to the nearest, ties to even
#ifdef __AVX512BF16__
  store(at, _mm512_cvtneps_pbh(bits<__m512>(v)));
#else
  vi b = bits<vi>(v), rounded = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
  store(at, __builtin_convertvector(v == v ? rounded : (b >> 16) | 0x40, vh));  // no number stays none
#endif
}

// The smaller and the larger of two, lane by lane; what is no number stays so where it comes second.
inline vf least(vf a, vf b) { return a < b ? a : b; }
inline vf most(vf a, vf b) { return a > b ? a : b; }

// One number of all lanes: each lane with the one HALF away, then halves of that.
template <int HALF = LANES / 2, class F>
inline float fold(vf v, F f) {
  if constexpr (HALF == 0)
    return v[0];
  else {
    vi other;
    for (int i = 0; i < LANES; i++) other[i] = i ^ HALF;
    return fold<HALF / 2>(f(v, __builtin_shuffle(v, other)), f);
  }
}
inline float largest(vf v) { return fold(v, most); }
inline float total(vf v) {
  return fold(v, [](vf a, vf b) { return a + b; });
}

// eˣ to about 1e-7: 2ⁿ by the exponent's bits, the rest by its series.
inline vf exponential(vf x) {
  x = most(all(-87.0f), least(all(88.0f), x));
  vf n = x * 1.44269504f + 12582912.0f;  // the nearest whole number, in the low bits
  vi whole = bits<vi>(n) - bits<vi>(all(12582912.0f));
  n -= 12582912.0f;
  vf r = x - n * 0.693359375f + n * 2.12194440e-4f;
  vf p = all(1.0f / 5040);
  for (float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = p * r + c;
  return p * bits<vf>((whole + 127) << 23);
}

// x·P(x²), P fitted at Chebyshev points of |x| ≤ 4 to about 3e-7; beyond that erf is ±1 in fp32.
inline vf erf(vf x, float) {
  x = most(all(-4.0f), least(all(4.0f), x));
  vf u = x * x * 0.125f - 1.0f, p = vf{};
  for (float c : {0.00237777759f, -0.00593571039f, 0.00375093124f, -0.00323996157f, 0.0145590445f, -0.0265476499f,
                  0.0333403349f, -0.0441596173f, 0.0597130731f, -0.0750461966f, 0.0902441815f, -0.10768307f,
                  0.13167277f, -0.176576898f, 0.353531033f})
    p = p * u + c;
  return p * x;
}

// The same of |x| ≤ 3 to about 2e-5, for what is written as bf16.
inline vf erf(vf x, uint16_t) {
  x = most(all(-3.0f), least(all(3.0f), x));
  vf u = x * x * 0.222222222f - 1.0f, p = vf{};
  for (float c : {0.006754524f, -0.01788026f, 0.02429862f, -0.03972952f, 0.07199569f, -0.1111348f, 0.1576291f,
                  -0.2287303f, 0.4701278f})
    p = p * u + c;
  return p * x;
}

inline vf logistic(vf x) { return 1.0f / (1.0f + exponential(-x)); }

enum Act { NONE, RELU, GELU, GELU_TANH, SILU, TANH };

template <class Y>
inline vf activate(vf x, int act) {
  switch (act) {
    case RELU:
      return most(vf{}, x);
    case GELU:
      return 0.5f * x * (1.0f + erf(x * 0.70710678f, Y{}));
    case GELU_TANH:
      return x * logistic(1.59576912f * (x + 0.044715f * x * x * x));
    case SILU:
      return x * logistic(x);
    case TANH:
      return 2.0f * logistic(2.0f * x) - 1.0f;
    default:
      return x;
  }
}

// sums += a word of x, in every lane, times LANES words of W.
struct Fp32 {
  typedef vf Sum;
  static inline vf dot(vf sum, int32_t x, vi w) { return sum + bits<float>(x) * bits<vf>(w); }
  static inline vf number(vf sum) { return sum; }
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
#else  // sums of two in 16 bits: neighbours in W must not be larger than 128 together
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi32(x), bits<__m256i>(w));
    return sum + bits<vi>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
  }
  static inline vf number(vi sum) { return __builtin_convertvector(sum, vf); }
};

#ifdef __AVX512BF16__
struct Bf16 {
  typedef vf Sum;
  static inline vf dot(vf sum, int32_t x, vi w) {
    return bits<vf>(_mm512_dpbf16_ps(bits<__m512>(sum), bits<__m512bh>(_mm512_set1_epi32(x)), bits<__m512bh>(w)));
  }
  static inline vf number(vf sum) { return sum; }
};
#endif

// M rows of x, `stride` bytes apart, by V vectors of a panel, over `steps` words.
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
  const char* panels;                  // (n / WIDE, k / word, WIDE, word)
  const float *bias, *scale, *offset;  // (n,) each, padded to panels; the last two for int8
  const float* shrink;                 // (k,), or none: by what x is multiplied before it is rounded
  ptrdiff_t n, k;
  float low;  // for int8: x · shrink = scale · (byte − zero) + low
  int zero;
  int word, act;  // numbers in a word: 1 for fp32, 2 for bf16, 4 for int8
};

struct Linear {
  const Weights& w;
  const void* x;                  // (rows, k)
  ptrdiff_t rows, stride, steps;  // bytes between rows of what is multiplied, words in each
  char* bytes;                    // (rows, stride), for x as int8, with
  float* scale;                   // (rows,)
  const void* add;                // (rows, n), or none
  void* y;                        // (rows, n)
};

// Rows `row` to `row + M` of a panel, from sums to what is written.
template <class P, class Y, int M>
inline void finish(const Linear& l, typename P::Sum (&sum)[M][VECTORS], ptrdiff_t row, ptrdiff_t column) {
  const ptrdiff_t left = l.w.n - column;
  for (int i = 0; i < M; i++) {
    Y* y = (Y*)l.y + (row + i) * l.w.n + column;
    const Y* add = l.add ? (const Y*)l.add + (row + i) * l.w.n + column : nullptr;
    for (int j = 0; j < VECTORS; j++) {
      const ptrdiff_t at = column + j * LANES;
      if (j * LANES >= left) break;
      vf v = P::number(sum[i][j]);
      if (l.scale) v = (v * read(l.w.scale + at) + read(l.w.offset + at)) * l.scale[row + i];
      v = activate<Y>(v + read(l.w.bias + at), l.w.act);
      if ((j + 1) * LANES <= left) {
        if (add) v += read(add + j * LANES);
        write(y + j * LANES, v);
      } else {
        Y part[LANES];
        const size_t bytes = (left - j * LANES) * sizeof(Y);
        if (add) {
          memset(part, 0, sizeof part);
          memcpy(part, add + j * LANES, bytes);
          v += read(part);
        }
        write(part, v);
        memcpy(y + j * LANES, part, bytes);
      }
    }
  }
}

template <class P, class Y, int M>
void strip(const Linear& l, typename P::Sum* kept, ptrdiff_t row, ptrdiff_t column, ptrdiff_t from, ptrdiff_t to) {
  typename P::Sum sum[M][VECTORS] = {};
  if (from) memcpy(sum, kept, sizeof sum);
  const char* w = l.w.panels + (column / WIDE * l.steps + from) * WIDE * 4;
  multiply<P, M, VECTORS>(sum, (l.scale ? l.bytes : (const char*)l.x) + row * l.stride + from * 4, l.stride, w,
                          to - from, WIDE * 4);
  if (to < l.steps)
    memcpy(kept, sum, sizeof sum);
  else
    finish<P, Y, M>(l, sum, row, column);
}

template <class P, class Y, int M = ROWS>
inline void strips(const Linear& l, typename P::Sum* kept, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column,
                   ptrdiff_t from, ptrdiff_t to) {
  if (rows == M) return strip<P, Y, M>(l, kept, row, column, from, to);
  if constexpr (M > 1) strips<P, Y, M - 1>(l, kept, row, rows, column, from, to);
}

// A row of numbers to bytes: x · shrink = scale · (byte − zero) + low. Without a zero there is a least number, low.
template <class X>
void quantise(const Weights& w, const X* from, ptrdiff_t stride, uint8_t* to, float* scale) {
  const ptrdiff_t k = w.k;
  const float *shrink = w.shrink, low = w.low;
  const bool symmetric = w.zero;
  vf highest = all(symmetric ? 0.0f : -3e38f), odd = {};  // odd: no number where one of the row's is none, or infinite
  ptrdiff_t i = 0;
  for (; i + LANES <= k; i += LANES) {
    vf v = read(from + i);
    if (shrink) v *= read(shrink + i);
    odd += v - v;
    highest = most(highest, symmetric ? bits<vf>(bits<vi>(v) & 0x7fffffff) : v);
  }
  float top = largest(highest), strange = total(odd);
  for (; i < k; i++) {
    float v = number(from[i]) * (shrink ? shrink[i] : 1.0f);
    strange += v - v;
    if (symmetric && v < 0) v = -v;
    top = v > top ? v : top;
  }
  const float range = top - low, s = (range > 1e-30f ? range : 1e-30f) / (symmetric ? 127 : 255);
  *scale = s + strange;
  const float times = 1.0f / s, plus = 12582912.0f + w.zero;
  // never below 0: what is a little less than the least would else become the largest byte
  auto byte = [&](vf v) {
    return __builtin_convertvector(bits<vi>(most(all(12582912.0f), (v - low) * times + plus)) & 255, vb);
  };
  for (i = 0; i + LANES <= k; i += LANES) {
    vf v = read(from + i);
    if (shrink) v *= read(shrink + i);
    store(to + i, byte(v));
  }
  for (; i < k; i++) to[i] = byte(all(number(from[i]) * (shrink ? shrink[i] : 1.0f)))[0];
  for (; i < stride; i++) to[i] = 0;
}

template <class P, class X, class Y>
void linear(const Linear& l, int threads) {
  ptrdiff_t block = BLOCK / l.stride / ROWS * ROWS;
  block = block < 2 * ROWS ? 2 * ROWS : block > 16 * ROWS ? 16 * ROWS : block;
  const ptrdiff_t blocks = (l.rows + block - 1) / block, panels = (l.w.n + WIDE - 1) / WIDE;
  auto to_bytes = [&](ptrdiff_t row) {
    if constexpr (std::is_same_v<P, Int8>)
      quantise(l.w, (const X*)l.x + row * l.w.k, l.stride, (uint8_t*)l.bytes + row * l.stride, l.scale + row);
  };
  const bool few = l.rows * l.w.k <= LITTLE;
  for (ptrdiff_t row = 0; few && row < l.rows; row++) to_bytes(row);
  if (l.rows * l.steps * l.w.n <= 8 * LITTLE) threads = 1;
#pragma omp parallel num_threads(threads)
  {
    std::vector<typename P::Sum> kept(l.steps > STEPS ? block * VECTORS : 0);
    if (!few) {
#pragma omp for schedule(static)
      for (ptrdiff_t row = 0; row < l.rows; row++) to_bytes(row);
    }
#pragma omp for schedule(dynamic, 1)
    for (ptrdiff_t task = 0; task < blocks * panels; task++) {
      const ptrdiff_t first = task / panels * block, column = task % panels * WIDE;
      const ptrdiff_t last = first + block < l.rows ? first + block : l.rows;
      for (ptrdiff_t from = 0; from < l.steps; from += STEPS) {
        const ptrdiff_t to = from + STEPS < l.steps ? from + STEPS : l.steps;
        for (ptrdiff_t row = first; row < last; row += ROWS)
          strips<P, Y>(l, kept.data() + (row - first) * VECTORS, row, last - row < ROWS ? last - row : ROWS, column,
                       from, to);
      }
    }
  }
}

// (x − mean) / √(variance + eps) · weight + bias, a row at a time; k is a multiple of LANES.
template <class X>
void norm(const X* x, ptrdiff_t rows, ptrdiff_t k, const float* weight, const float* bias, float eps, X* y,
          int threads) {
#pragma omp parallel for num_threads(rows* k <= LITTLE ? 1 : threads) schedule(static)
  for (ptrdiff_t row = 0; row < rows; row++) {
    const X* from = x + row * k;
    vf sum = {}, squares = {};
    for (ptrdiff_t i = 0; i < k; i += LANES) sum += read(from + i);
    const float mean = total(sum) / k;
    for (ptrdiff_t i = 0; i < k; i += LANES) {
      vf v = read(from + i) - mean;
      squares += v * v;
    }
    const float times = 1.0f / std::sqrt(total(squares) / k + eps);
    for (ptrdiff_t i = 0; i < k; i += LANES)
      write(y + row * k + i, (read(from + i) - mean) * times * read(weight + i) + read(bias + i));
  }
}

struct Heads {
  const void *q, *k, *v;  // rows of numbers, `stride` numbers apart, head beside head
  ptrdiff_t q_stride, k_stride;
  const int32_t *queries, *keys;  // where each sequence begins, and where the last one ends
  const int32_t* places;          // the row of k and v of each key; none: one after another
  ptrdiff_t sequences, heads, width;
  float scale;
  bool causal;  // queries are a sequence's last tokens, and see no later one
  void* y;      // (rows, heads · width)
};

// `count` vectors in groups: f(number of vectors, first column).
template <int V = VECTORS, class F>
inline void columns(ptrdiff_t count, F f, ptrdiff_t at = 0) {
  for (; at + V <= count; at += V) f(std::integral_constant<int, V>{}, at * LANES);
  if constexpr (V > 1) columns<V - 1>(count, f, at);
}

// LANES rows of LANES numbers, each row a vector, to columns: halves change places, then quarters, …
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

// Scores (padded,) of which `seen` count, to what their softmax divides by their sum. Returns 1 / sum.
inline float weigh(float* s, ptrdiff_t seen, ptrdiff_t padded) {
  seen = seen > 0 ? seen : 0;
  for (ptrdiff_t j = seen; j < padded; j++) s[j] = -1e30f;  // eˣ of which is 1e-38, and of all that counts 0
  vf top = all(-1e30f), sum = {};
  for (ptrdiff_t j = 0; j < padded; j += LANES) top = most(top, read(s + j));
  const float m = largest(top);
  for (ptrdiff_t j = 0; j < padded; j += LANES) {
    vf e = exponential(read(s + j) - m);
    sum += e;
    write(s + j, e);
  }
  return seen ? 1.0f / total(sum) : 0.0f;
}

// M queries of a head: scores over all keys, softmax, the sum of values. The first sees `seen` keys, and with `more`
// each one more than the one before.
template <class X, int M>
void look(const Heads& a, const float* q, const float* kt, const float* v, float* scores, ptrdiff_t keys,
          ptrdiff_t seen, int more, X* y) {
  const ptrdiff_t vectors = (keys + LANES - 1) / LANES, padded = vectors * LANES;
  columns(vectors, [&](auto count, ptrdiff_t column) {
    constexpr int V = decltype(count)::value;
    vf sum[M][V] = {};
    multiply<Fp32, M, V>(sum, (const char*)q, a.width * 4, (const char*)(kt + column), a.width, padded * 4);
    for (int i = 0; i < M; i++)
      for (int j = 0; j < V; j++) write(scores + i * padded + column + j * LANES, sum[i][j]);
  });
  float inverse[M];
  for (int i = 0; i < M; i++) inverse[i] = weigh(scores + i * padded, seen + i * more, padded);
  columns(a.width / LANES, [&](auto count, ptrdiff_t column) {
    constexpr int V = decltype(count)::value;
    vf sum[M][V] = {};
    multiply<Fp32, M, V>(sum, (const char*)scores, padded * 4, (const char*)(v + column), keys, a.width * 4);
    for (int i = 0; i < M; i++)
      for (int j = 0; j < V; j++) write(y + i * a.heads * a.width + column + j * LANES, sum[i][j] * inverse[i]);
  });
}

template <class X, int M = ROWS>
inline void looks(int rows, const Heads& a, const float* q, const float* kt, const float* v, float* scores,
                  ptrdiff_t keys, ptrdiff_t seen, int more, X* y) {
  if (rows == M) return look<X, M>(a, q, kt, v, scores, keys, seen, more, y);
  if constexpr (M > 1) looks<X, M - 1>(rows, a, q, kt, v, scores, keys, seen, more, y);
}

// One query of a head, in the same steps, but keys and values are read where they are: `at` says where each is.
template <class X, class At>
void glance(const Heads& a, const float* q, const X* k, const X* v, At at, float* scores, ptrdiff_t seen, X* y) {
  const ptrdiff_t padded = (seen + LANES - 1) / LANES * LANES;
  for (ptrdiff_t j = 0; j < seen; j++) {
    const X* key = k + at(j);
    vf sum = {};
    for (ptrdiff_t c = 0; c < a.width; c += LANES) sum += read(q + c) * read(key + c);
    scores[j] = total(sum);
  }
  const float inverse = weigh(scores, seen, padded);
  columns(a.width / LANES, [&](auto count, ptrdiff_t column) {
    constexpr int V = decltype(count)::value;
    vf sum[V] = {};
    for (ptrdiff_t j = 0; j < seen; j++) {
      const X* value = v + at(j) + column;
      for (int i = 0; i < V; i++) sum[i] += scores[j] * read(value + i * LANES);
    }
    for (int i = 0; i < V; i++) write(y + column + i * LANES, sum[i] * inverse);
  });
}

template <class X>
void attend(const Heads& a, int threads) {
  const ptrdiff_t size = a.sequences ? (a.queries[a.sequences] + a.keys[a.sequences]) * a.heads * a.width : 0;
  const int chunk = a.sequences >= 4 * threads ? a.heads : 1;
#pragma omp parallel num_threads(size <= LITTLE ? 1 : threads)
  {
    std::vector<float> room;
#pragma omp for schedule(dynamic, chunk)
    for (ptrdiff_t task = 0; task < a.sequences * a.heads; task++) {
      const ptrdiff_t n = task / a.heads, head = task % a.heads, width = a.width;
      const ptrdiff_t first = a.queries[n], queries = a.queries[n + 1] - first, start = a.keys[n],
                      keys = a.keys[n + 1] - start;
      if (!queries) continue;
      const ptrdiff_t padded = (keys + LANES - 1) / LANES * LANES;
      room.resize(2 * padded * width + ROWS * (width + padded));
      float *kt = room.data(), *v = kt + padded * width, *q = v + padded * width, *scores = q + ROWS * width;
      const X *ks = (const X*)a.k + head * width, *vs = (const X*)a.v + head * width;
      auto at = [&](ptrdiff_t j) { return (a.places ? a.places[start + j] : start + j) * a.k_stride; };
      auto scaled = [&](ptrdiff_t row, float* to) {
        for (ptrdiff_t c = 0; c < width; c += LANES)
          write(to + c, read((const X*)a.q + (first + row) * a.q_stride + head * width + c) * a.scale);
      };
      auto seen = [&](ptrdiff_t row) { return a.causal ? keys - queries + row + 1 : keys; };  // may be less than none
      X* y = (X*)a.y + (first * a.heads + head) * width;
      if (queries <= FEW) {
        for (ptrdiff_t row = 0; row < queries; row++) {
          scaled(row, q);
          glance(a, q, ks, vs, at, scores, seen(row), y + row * a.heads * width);
        }
        continue;
      }
      for (ptrdiff_t j = 0; j < padded; j += LANES)
        for (ptrdiff_t c = 0; c < width; c += LANES) {
          vf block[LANES];
          for (int i = 0; i < LANES; i++) block[i] = j + i < keys ? read(ks + at(j + i) + c) : vf{};
          transpose(block);
          for (int i = 0; i < LANES; i++) write(kt + (c + i) * padded + j, block[i]);
        }
      for (ptrdiff_t j = 0; j < keys; j++)
        for (ptrdiff_t c = 0; c < width; c += LANES) write(v + j * width + c, read(vs + at(j) + c));
      for (ptrdiff_t row = 0; row < queries; row += ROWS) {
        const int rows = queries - row < ROWS ? queries - row : ROWS;
        for (int i = 0; i < rows; i++) scaled(row + i, q + i * width);
        looks<X>(rows, a, q, kt, v, scores, keys, seen(row), a.causal, y + row * a.heads * width);
      }
    }
  }
}

// Lanes in which a is larger than b, as bits.
inline unsigned larger(vf a, vf b) {
#ifdef __AVX512F__
  return _mm512_cmp_ps_mask(bits<__m512>(a), bits<__m512>(b), _CMP_GT_OQ);
#else
  return _mm256_movemask_ps(_mm256_cmp_ps(bits<__m256>(a), bits<__m256>(b), _CMP_GT_OQ));
#endif
}

// Of a row, the log of the sum of exponentials, and the `count` largest numbers that are not banned, the largest first
// and equal ones in their order. What is missing is -inf, at the first places.
float best(const float* x, ptrdiff_t n, ptrdiff_t count, const int32_t* ban, const int32_t* bans, float* values,
           int64_t* places) {
  constexpr ptrdiff_t PART = 64 * LANES;  // stays in the first cache between its largest and its sum
  const float none = -std::numeric_limits<float>::infinity();
  ptrdiff_t found = 0;
  float m = -3e38f;
  vf sum = {};
  auto put = [&](float value, ptrdiff_t place) {
    if (found == count && !(value > values[count - 1])) return;
    for (const int32_t* b = ban; b < bans; b++)
      if (*b == place) return;
    ptrdiff_t at = found < count ? found++ : count - 1;
    for (; at && value > values[at - 1]; at--) values[at] = values[at - 1], places[at] = places[at - 1];
    values[at] = value, places[at] = place;
  };
  for (ptrdiff_t from = 0; from < n; from += PART) {
    const ptrdiff_t to = from + PART < n ? from + PART : n;
    float part[LANES];
    auto take = [&](ptrdiff_t i) {  // what stands behind the row's end counts nothing
      if (i + LANES <= n) return read(x + i);
      for (int j = 0; j < LANES; j++) part[j] = i + j < n ? x[i + j] : none;
      return read(part);
    };
    vf top = all(none);
    for (ptrdiff_t i = from; i < to; i += LANES) top = most(top, take(i));
    const float highest = largest(top);
    if (highest > m) {
      sum *= exponential(all(m - highest));
      m = highest;
    }
    for (ptrdiff_t i = from; i < to; i += LANES) sum += exponential(take(i) - m);
    if (count && (found < count || highest > values[count - 1]))
      for (ptrdiff_t i = from; i < to; i += LANES) {
        const vf v = take(i);
        for (unsigned over = larger(v, all(found < count ? none : values[count - 1])); over; over &= over - 1) {
          const int j = __builtin_ctz(over);
          put(v[j], i + j);
        }
      }
  }
  for (ptrdiff_t place = 0; found < count; place++) values[found] = none, places[found++] = place < n ? place : n - 1;
  return m > -3e38f ? m + std::log(total(sum)) : none;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int gatonegro_version() { return 2; }  // of these functions' arguments

int gatonegro_wide() { return WIDE; }

// `half` says whether x, or add and y, are bf16; `room` are rows · (k to a multiple of 4, and 4) bytes, for int8.
void gatonegro_linear(const Weights* w, const void* x, int x_half, ptrdiff_t rows, void* room, const void* add, void* y,
                      int y_half, int threads) {
  const ptrdiff_t steps = (w->k + w->word - 1) / w->word;
  float* scale = w->word == 4 ? (float*)room : nullptr;
  const Linear l{*w, x, rows, steps * 4, steps, (char*)room + rows * 4, scale, add, y};
  if (w->word == 1) return linear<Fp32, float, float>(l, threads);
#ifdef __AVX512BF16__
  if (w->word == 2 && y_half) return linear<Bf16, uint16_t, uint16_t>(l, threads);
  if (w->word == 2) return linear<Bf16, uint16_t, float>(l, threads);
#endif
  if (x_half && y_half) return linear<Int8, uint16_t, uint16_t>(l, threads);
  if (x_half) return linear<Int8, uint16_t, float>(l, threads);
  if (y_half) return linear<Int8, float, uint16_t>(l, threads);
  linear<Int8, float, float>(l, threads);
}

void gatonegro_norm(const void* x, int half, ptrdiff_t rows, ptrdiff_t k, const float* weight, const float* bias,
                    float eps, void* y, int threads) {
  if (half)
    norm((const uint16_t*)x, rows, k, weight, bias, eps, (uint16_t*)y, threads);
  else
    norm((const float*)x, rows, k, weight, bias, eps, (float*)y, threads);
}

void gatonegro_attend(const void* q, const void* k, const void* v, int half, ptrdiff_t q_stride, ptrdiff_t k_stride,
                      const int32_t* queries, const int32_t* keys, const int32_t* places, ptrdiff_t sequences,
                      ptrdiff_t heads, ptrdiff_t width, float scale, int causal, void* y, int threads) {
  const Heads a{q, k, v, q_stride, k_stride, queries, keys, places, sequences, heads, width, scale, bool(causal), y};
  if (half)
    attend<uint16_t>(a, threads);
  else
    attend<float>(a, threads);
}

// `bans` are places of each row that do not count among its `count` largest; those of row i begin at starts[i].
void gatonegro_best(const float* x, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t count, const int32_t* starts,
                    const int32_t* bans, float* values, int64_t* places, float* sums, int threads) {
#pragma omp parallel for num_threads(rows* n <= LITTLE ? 1 : threads) schedule(dynamic, 1)
  for (ptrdiff_t i = 0; i < rows; i++)
    sums[i] = best(x + i * n, n, count, bans + starts[i], bans + starts[i + 1], values + i * count, places + i * count);
}
}
#pragma GCC visibility pop
