// CPU kernels of a Transformer for packed sequences: linear layers act(x·Wᵀ + b) + add in fp32, bf16 and int8, layer
// norm, attention, and top-k.
#include "attention.h"
#include "products.h"
#include "weights.h"
#include <limits>

namespace {

// Layer norm per row, (x − mean) / √(variance + eps) · weight + bias; without a bias RMS norm, x / √(mean(x²) + eps) ·
// weight. k is a multiple of LANES.
template <class X, bool RMS = false>
void norm(const X* x, ptrdiff_t rows, ptrdiff_t k, const float* weight, const float* bias, float eps, X* y,
          int threads) {
  if (!RMS && !bias) return norm<X, true>(x, rows, k, weight, bias, eps, y, threads);
  parallel(rows, 8, rows * k <= MIN_PARALLEL_NUMBERS ? 1 : threads, [&](Tasks& tasks) {
    tasks.each([=](ptrdiff_t row) {
      const X* from = x + row * k;
      vf sum = {}, squares = {};
      for (ptrdiff_t i = 0; !RMS && i < k; i += LANES) sum += load_float(from + i);
      const float mean = reduce_sum(sum) / k;
      for (ptrdiff_t i = 0; i < k; i += LANES) {
        vf v = load_float(from + i) - mean;
        squares += v * v;
      }
      const float factor = 1.0f / std::sqrt(reduce_sum(squares) / k + eps);
      for (ptrdiff_t i = 0; i < k; i += LANES)
        store_float(y + row * k + i, (load_float(from + i) - mean) * factor * load_float(weight + i) +
                                         (RMS ? vf{} : load_float(bias + i)));
    });
  });
}

// The lanes in which a > b, as bits.
inline unsigned larger(vf a, vf b) {
#ifdef __AVX512F__
  return _mm512_cmp_ps_mask(bits<__m512>(a), bits<__m512>(b), _CMP_GT_OQ);
#elif defined(__aarch64__)
  return vaddvq_u32(vandq_u32(vcgtq_f32(bits<float32x4_t>(a), bits<float32x4_t>(b)), uint32x4_t{1, 2, 4, 8}));
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

int gatonegro_version() { return 3; }

int gatonegro_wide() { return PANEL_ROWS; }

void gatonegro_linear(const Weights* w, const void* x, int x_is_bf16, ptrdiff_t rows, void* scratch, const void* add,
                      void* y, int y_is_bf16, int threads) {
  const ptrdiff_t steps = (w->k + w->word - 1) / w->word;
  float* scale = w->word == 4 ? (float*)scratch : nullptr;
  const Linear l{*w, x, rows, steps * 4, steps, (char*)scratch + rows * 4, scale, add, y};
  if (w->word == 1) return linear<Fp32, float, float>(l, threads);
  if (w->word == 2 && y_is_bf16) return linear<Bf16, uint16_t, uint16_t>(l, threads);
  if (w->word == 2) return linear<Bf16, uint16_t, float>(l, threads);
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
                      const int32_t* queries, const int32_t* keys, const int32_t* indices, const float* bias,
                      ptrdiff_t reach, ptrdiff_t sequences, ptrdiff_t heads, ptrdiff_t width, float scale, int causal,
                      void* y, int threads) {
  const Attention a{q,    k,     v,         q_stride, k_stride, queries, keys,         indices,
                    bias, reach, sequences, heads,    width,    scale,   bool(causal), y};
  if (is_bf16)
    attend<uint16_t>(a, threads);
  else
    attend<float>(a, threads);
}

void gatonegro_best(const float* x, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t count, const int32_t* starts,
                    const int32_t* banned, float* values, int64_t* indices, float* sums, int threads) {
  parallel(rows, 1, rows * n <= MIN_PARALLEL_NUMBERS ? 1 : threads, [&](Tasks& tasks) {
    tasks.each([&](ptrdiff_t i) {
      sums[i] = top_k(x + i * n, n, count, banned + starts[i], banned + starts[i + 1], values + i * count,
                      indices + i * count);
    });
  });
}

void gatonegro_sizes(const void* weight, int is_int8, const float* row_scales, ptrdiff_t n, ptrdiff_t k, float* sizes,
                     int threads) {
  if (is_int8)
    column_sizes((const int8_t*)weight, row_scales, n, k, sizes, threads);
  else
    column_sizes((const float*)weight, row_scales, n, k, sizes, threads);
}

void gatonegro_quantise(const void* weight, int is_int8, const float* row_scales, ptrdiff_t n, ptrdiff_t k,
                        const float* smooth, int narrow, char* panels, float* scales, int32_t* sums, int threads) {
  if (is_int8)
    quantise_weights((const int8_t*)weight, row_scales, n, k, smooth, narrow, panels, scales, sums, threads);
  else
    quantise_weights((const float*)weight, row_scales, n, k, smooth, narrow, panels, scales, sums, threads);
}
