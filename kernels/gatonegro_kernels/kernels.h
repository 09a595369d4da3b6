// The C interface of the kernels, which gatonegro calls by ctypes. Version 3.
//
// Matrices are row by row in memory. Pointers to matrices are to fp32 or, where a flag says so, bf16 numbers. `threads`
// is how many threads may compute, the caller included; results have the same bits for any number.
#pragma once
#include <cstddef>
#include <cstdint>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

struct Weights {
  const char* panels;                  // (n / PANEL_ROWS, k / word, PANEL_ROWS, word)
  const float *bias, *scale, *offset;  // (n,) each, padded to panels; the last two for int8
  const float* inv_smooth;             // (k,), or null: factors of x before quantisation
  ptrdiff_t n, k;
  float input_min;  // int8: x · inv_smooth = scale · (byte − zero_point) + input_min
  int zero_point;
  int word, act;  // word: numbers per 32 bits, 1 for fp32, 2 for bf16, 4 for int8
};

extern "C" {

EXPORT int gatonegro_version();  // of these functions' signatures

EXPORT int gatonegro_wide();  // rows of W per panel

// act(x·Wᵀ + bias) + add. y_is_bf16: add and y are bf16. add: null for none. scratch, for int8: rows · (4 + k rounded
// up to a multiple of 4) bytes.
EXPORT void gatonegro_linear(const Weights* w, const void* x, int x_is_bf16, ptrdiff_t rows, void* scratch,
                             const void* add, void* y, int y_is_bf16, int threads);

// Layer norm of each row of k numbers or, if bias is null, RMS norm. k: a multiple of 16.
EXPORT void gatonegro_norm(const void* x, int is_bf16, ptrdiff_t rows, ptrdiff_t k, const float* weight,
                           const float* bias, float eps, void* y, int threads);

// Attention of packed sequences. Rows of q are q_stride numbers apart, those of k and v k_stride. queries, keys: where
// each sequence begins and the last one ends, (sequences + 1,). indices: the row of k and v of each key, or null if
// they are consecutive. width: of a head, a multiple of 16. causal: queries are their sequence's last tokens and attend
// to no later ones. bias: null, or (heads, 2·reach + 1); bias[h][reach + j − p] is added to the scaled score of key j
// of a sequence for the query at place p = keys − queries + row; beyond ±reach the ends are.
EXPORT void gatonegro_attend(const void* q, const void* k, const void* v, int is_bf16, ptrdiff_t q_stride,
                             ptrdiff_t k_stride, const int32_t* queries, const int32_t* keys, const int32_t* indices,
                             const float* bias, ptrdiff_t reach, ptrdiff_t sequences, ptrdiff_t heads, ptrdiff_t width,
                             float scale, int causal, void* y, int threads);

// Each row's log-sum-exp in `sums`, and its `count` largest numbers and their indices. banned: indices that are left
// out; those of row i are from starts[i] to starts[i + 1].
EXPORT void gatonegro_best(const float* x, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t count, const int32_t* starts,
                           const int32_t* banned, float* values, int64_t* indices, float* sums, int threads);

// Root mean square of each column of W (n, k), fp32 or, with a factor per row, int8: sizes (k,).
EXPORT void gatonegro_sizes(const void* weight, int is_int8, const float* row_scales, ptrdiff_t n, ptrdiff_t k,
                            float* sizes, int threads);

// Quantises W (n, k), fp32 or, with a factor per row, int8, after multiplying its columns by `smooth` (k,), or null.
// panels: as in Weights. scales, sums: a row's scale and the sum of its bytes, (n padded to panels,). narrow: neighbours
// are at most 128 together, for products that add pairs in 16 bits.
EXPORT void gatonegro_quantise(const void* weight, int is_int8, const float* row_scales, ptrdiff_t n, ptrdiff_t k,
                               const float* smooth, int narrow, char* panels, float* scales, int32_t* sums,
                               int threads);
}
