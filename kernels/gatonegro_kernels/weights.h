// Preparation of weights for products in int8: rows of W with one scale each, stored in panels.
#pragma once
#include "kernels.h"
#include "pool.h"
#include "vectors.h"
#include <vector>

namespace {

typedef int8_t vc __attribute__((vector_size(LANES)));

inline vf load_float(const int8_t* at) { return __builtin_convertvector(load<vc>(at), vf); }
inline vf absolute(vf x) { return bits<vf>(bits<vi>(x) & 0x7fffffff); }

// The root mean square of each column of W (n, k), whose rows have a factor each, or none.
template <class W>
void column_sizes(const W* weight, const float* row_scales, ptrdiff_t n, ptrdiff_t k, float* sizes, int threads) {
  constexpr ptrdiff_t WIDE = 4 * LANES;
  parallel((k + WIDE - 1) / WIDE, 1, threads, [&](Tasks& tasks) {
    tasks.each([&](ptrdiff_t task) {
      const ptrdiff_t first = task * WIDE, last = first + WIDE < k ? first + WIDE : k;
      float sums[WIDE] = {};
      for (ptrdiff_t row = 0; row < n; row++) {
        const W* from = weight + row * k;
        const float scale = row_scales ? row_scales[row] : 1.0f;
        ptrdiff_t i = first;
        for (; i + LANES <= last; i += LANES) {
          const vf v = load_float(from + i) * scale;
          store_float(sums + i - first, load_float(sums + i - first) + v * v);
        }
        for (; i < last; i++) sums[i - first] += from[i] * scale * (from[i] * scale);
      }
      for (ptrdiff_t i = first; i < last; i++) sizes[i] = std::sqrt(sums[i - first] / n);
    });
  });
}

// Quantises W (n, k), whose columns have a factor each, or none, and writes each row's scale and the sum of its bytes.
// narrow: neighbours are at most 128 together. The vectors are padded to panels.
template <class W>
void quantise_weights(const W* weight, const float* row_scales, ptrdiff_t n, ptrdiff_t k, const float* smooth,
                      bool narrow, char* panels, float* scales, int32_t* sums, int threads) {
  const ptrdiff_t steps = (k + 3) / 4, padded = (k + LANES - 1) / LANES * LANES;
  vf even;
  for (int i = 0; i < LANES; i++) even[i] = i % 2 ? 0.0f : 1.0f;
  parallel((n + PANEL_ROWS - 1) / PANEL_ROWS, 1, threads, [&](Tasks& tasks) {
    std::vector<float> x(padded + 1);           // a row; zeros from k on
    std::vector<int8_t> row_bytes(padded + 4);  // the same, quantised
    tasks.each([&](ptrdiff_t panel) {
      char* to = panels + panel * steps * PANEL_ROWS * 4;
      for (ptrdiff_t lane = 0; lane < PANEL_ROWS; lane++) {
        const ptrdiff_t row = panel * PANEL_ROWS + lane;
        const W* from = weight + row * k;
        scales[row] = 0.0f, sums[row] = 0;
        if (row >= n) {
          for (ptrdiff_t s = 0; s < steps; s++) memset(to + (s * PANEL_ROWS + lane) * 4, 0, 4);
          continue;
        }
        const float row_scale = row_scales ? row_scales[row] : 1.0f;
        for (ptrdiff_t i = 0; i < k; i++) x[i] = from[i] * row_scale;
        for (ptrdiff_t i = 0; smooth && i < k; i++) x[i] *= smooth[i];
        vf largest = {};
        for (ptrdiff_t i = 0; i < padded; i += LANES) {
          const vf a = absolute(load_float(x.data() + i));
          largest = maximum(largest, a);
          if (narrow) largest = maximum(largest, (a + absolute(load_float(x.data() + i + 1))) * even);
        }
        const float scale = maximum(broadcast(1e-30f), broadcast(reduce_max(largest) / 127.0f))[0];
        for (ptrdiff_t i = 0; i < padded; i += LANES) {
          vf v = load_float(x.data() + i) / scale + 12582912.0f - 12582912.0f;  // rounds to even
          v = maximum(broadcast(-127.0f), minimum(broadcast(127.0f), v));
          store(row_bytes.data() + i, __builtin_convertvector(v, vc));
        }
        int32_t sum = 0;
        for (ptrdiff_t i = 0; i < k; i++) sum += row_bytes[i];
        scales[row] = scale, sums[row] = sum;
        for (ptrdiff_t s = 0; s < steps; s++) memcpy(to + (s * PANEL_ROWS + lane) * 4, row_bytes.data() + s * 4, 4);
      }
    });
  });
}

}  // namespace
