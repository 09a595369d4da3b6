// Linear layers act(x·Wᵀ + b) + add in fp32, bf16 and int8.
//
// One matrix product serves all three precisions: a 32-bit word of a row of x (one fp32, two bf16 or four int8 numbers)
// is multiplied by the same word of `LANES × VECTORS` rows of W, stored
// side by side in a panel, and added to as many sums, which stay in registers until they are complete. The blocking is
// that of https://www.cs.utexas.edu/~flame/pubs/GotoTOMS_revision.pdf. Sums run over k in the same order for any number
// of rows, so that a sentence gets the same bits alone and in a batch.
#pragma once
#include "kernels.h"
#include "pool.h"
#include "vectors.h"
#include <vector>

namespace {

constexpr ptrdiff_t BLOCK_WORDS = 1024;        // words of k per block, so that a panel of W stays in the L2 cache
constexpr ptrdiff_t BLOCK_BYTES = 192 * 1024;  // bytes of x per block, for the same reason

// Products of a precision: sum += a word of x, in every lane, × LANES words of W.
struct Fp32 {
  typedef vf Sum;
  static constexpr bool SHIFTED = false;
  static inline vf dot(vf sum, int32_t x, vi w) { return sum + bits<float>(x) * bits<vf>(w); }
  static inline vf to_float(vf sum) { return sum; }
};

struct Bf16 {
  typedef vf Sum;
  static constexpr bool SHIFTED = false;
  static inline vf dot(vf sum, int32_t x, vi w) {
#ifdef __AVX512BF16__
    return bits<vf>(_mm512_dpbf16_ps(bits<__m512>(sum), bits<__m512bh>(_mm512_set1_epi32(x)), bits<__m512bh>(w)));
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
    return bits<vf>(vbfdotq_f32(bits<float32x4_t>(sum), bits<bfloat16x8_t>(w), bits<bfloat16x8_t>(vdupq_n_s32(x))));
#else  // the upper half of an fp32 number is a bf16 number
    sum += bits<float>(uint32_t(x) << 16) * bits<vf>(w << 16);
    return sum + bits<float>(uint32_t(x) & 0xffff0000u) * bits<vf>(w & int32_t(0xffff0000));
#endif
  }
  static inline vf to_float(vf sum) { return sum; }
};

struct Int8 {  // unsigned x, signed W
  typedef vi Sum;
#if defined(__ARM_FEATURE_DOTPROD) && !defined(__ARM_FEATURE_MATMUL_INT8)
  // multiplies signed numbers only: x − 128, to which `shift` adds 128 · W
  static constexpr bool SHIFTED = true;
  static inline vi shift(vi sum, vi w) {
    return bits<vi>(vdotq_s32(bits<int32x4_t>(sum), bits<int8x16_t>(w), vdupq_n_s8(64)));
  }
#else
  static constexpr bool SHIFTED = false;
#endif
  static inline vi dot(vi sum, int32_t x, vi w) {
#ifdef __AVX512VNNI__
    return bits<vi>(_mm512_dpbusd_epi32(bits<__m512i>(sum), _mm512_set1_epi32(x), bits<__m512i>(w)));
#elif defined(__AVX512F__)
#error "compile for AVX-512 with VNNI"
#elif defined(__AVXVNNI__)
    return bits<vi>(_mm256_dpbusd_avx_epi32(bits<__m256i>(sum), _mm256_set1_epi32(x), bits<__m256i>(w)));
#elif defined(__AVX2__)  // adds pairs in 16 bits: neighbours in W must be at most 128 together
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi32(x), bits<__m256i>(w));
    return sum + bits<vi>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#elif defined(__ARM_FEATURE_MATMUL_INT8)
    return bits<vi>(vusdotq_s32(bits<int32x4_t>(sum), vreinterpretq_u8_s32(vdupq_n_s32(x)), bits<int8x16_t>(w)));
#elif defined(__ARM_FEATURE_DOTPROD)
    return bits<vi>(vdotq_s32(bits<int32x4_t>(sum), bits<int8x16_t>(w),
                              vreinterpretq_s8_s32(vdupq_n_s32(x ^ int32_t(0x80808080)))));
#else  // a product has 16 bits, a sum of two of them 32
    int8x16_t b = bits<int8x16_t>(w);
    int16x8_t a = vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_s32(vdup_n_s32(x))));
    int32x4_t low = vpaddlq_s16(vmulq_s16(a, vmovl_s8(vget_low_s8(b))));
    return sum + bits<vi>(vpaddq_s32(low, vpaddlq_s16(vmulq_s16(a, vmovl_high_s8(b)))));
#endif
  }
  static inline vf to_float(vi sum) { return __builtin_convertvector(sum, vf); }
};

// M rows of x, `stride` bytes apart, × V vectors of a panel, over `steps` words.
template <class P, int M, int V>
inline __attribute__((always_inline)) void multiply(typename P::Sum (&sum)[M][V], const char* x, ptrdiff_t stride,
                                                    const char* w, ptrdiff_t steps, ptrdiff_t wide) {
  [[maybe_unused]] typename P::Sum shift[V] = {};
  for (ptrdiff_t s = 0; s < steps; s++) {
    vi b[V];
    for (int j = 0; j < V; j++) b[j] = load<vi>(w + s * wide + j * LANES * 4);
    if constexpr (P::SHIFTED)
      for (int j = 0; j < V; j++) shift[j] = P::shift(shift[j], b[j]);
    for (int i = 0; i < M; i++) {
      int32_t word = load<int32_t>(x + i * stride + s * 4);
      for (int j = 0; j < V; j++) sum[i][j] = P::dot(sum[i][j], word, b[j]);
    }
  }
  if constexpr (P::SHIFTED)
    for (int i = 0; i < M; i++)
      for (int j = 0; j < V; j++) sum[i][j] += 2 * shift[j];
}

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
    quantise(l.w, (const X*)l.x + row * l.w.k, l.stride, (uint8_t*)l.bytes + row * l.stride, l.scale + row);
  };
  const bool is_small = l.rows * l.w.k <= MIN_PARALLEL_NUMBERS;
  if (std::is_same_v<P, Int8>) parallel(l.rows, 8, is_small ? 1 : threads, [&](Tasks& tasks) { tasks.each(to_bytes); });
  if (l.rows * l.steps * l.w.n <= 8 * MIN_PARALLEL_NUMBERS) threads = 1;
  parallel(blocks * panels, 1, threads, [&](Tasks& tasks) {
    std::vector<typename P::Sum> partial(l.steps > BLOCK_WORDS ? block * VECTORS : 0);
    tasks.each([&](ptrdiff_t task) {
      const ptrdiff_t first = task / panels * block, column = task % panels * PANEL_ROWS;
      const ptrdiff_t last = first + block < l.rows ? first + block : l.rows;
      for (ptrdiff_t from = 0; from < l.steps; from += BLOCK_WORDS) {
        const ptrdiff_t to = from + BLOCK_WORDS < l.steps ? from + BLOCK_WORDS : l.steps;
        for (ptrdiff_t row = first; row < last; row += TILE_ROWS)
          tiles<P, Y>(l, partial.data() + (row - first) * VECTORS, row, last - row < TILE_ROWS ? last - row : TILE_ROWS,
                      column, from, to);
      }
    });
  });
}

}  // namespace
