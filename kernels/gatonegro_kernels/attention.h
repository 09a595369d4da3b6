// Attention over packed sequences.
#pragma once
#include "products.h"

namespace {

constexpr ptrdiff_t MAX_DIRECT_QUERIES = 2;  // queries per sequence for which keys are not transposed

struct Attention {
  const void *q, *k, *v;  // rows of heads, `stride` numbers apart
  ptrdiff_t q_stride, k_stride;
  const int32_t *queries, *keys;  // the start of each sequence, and the end of the last one
  const int32_t* indices;         // the row of k and v of each key; null: consecutive rows
  const float* bias;              // (heads, 2 · reach + 1) by distance, or null
  ptrdiff_t reach;
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
  auto low = [](int i) { return i & HALF ? LANES + i - HALF : i; };
  auto high = [](int i) { return i & HALF ? LANES + i : i + HALF; };
  for (int i = 0; i < LANES; i++) {
    if (i & HALF) continue;
    vf a = r[i], b = r[i + HALF];
    r[i] = shuffle(a, b, low, AllLanes{});
    r[i + HALF] = shuffle(a, b, high, AllLanes{});
  }
  if constexpr (HALF > 1) transpose<HALF / 2>(r);
}

// What a query's scores of the keys from 0 on are added to: numbers by distance, beyond ±reach the first and the last.
struct Bias {
  const float* of_head;  // (2 · reach + 1,), or null
  ptrdiff_t reach, place;

  vf load(ptrdiff_t key) const {
    const ptrdiff_t at = reach + key - place, last = 2 * reach;
    if (at >= 0 && at + LANES <= last + 1) return load_float(of_head + at);
    float part[LANES];
    for (ptrdiff_t i = 0; i < LANES; i++) part[i] = of_head[at + i < 0 ? 0 : at + i > last ? last : at + i];
    return load_float(part);
  }
};

// Adds a bias to scores (padded,), and replaces them by exponentials, 0 beyond the first `visible`; returns 1 / their
// sum, softmax's factor.
inline float softmax(float* s, ptrdiff_t visible, ptrdiff_t padded, const Bias& bias) {
  for (ptrdiff_t j = 0; bias.of_head && j < padded; j += LANES) store_float(s + j, load_float(s + j) + bias.load(j));
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
                 ptrdiff_t visible, int causal_step, const Bias& bias, X* y) {
  const ptrdiff_t vectors = (keys + LANES - 1) / LANES, padded = vectors * LANES;
  columns(vectors, [&](auto count, ptrdiff_t column) {
    constexpr int V = decltype(count)::value;
    vf sum[M][V] = {};
    multiply<Fp32, M, V>(sum, (const char*)q, a.width * 4, (const char*)(kt + column), a.width, padded * 4);
    for (int i = 0; i < M; i++)
      for (int j = 0; j < V; j++) store_float(scores + i * padded + column + j * LANES, sum[i][j]);
  });
  float inverse[M];
  for (int i = 0; i < M; i++)
    inverse[i] =
        softmax(scores + i * padded, visible + i * causal_step, padded, {bias.of_head, bias.reach, bias.place + i});
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
                         ptrdiff_t keys, ptrdiff_t visible, int causal_step, const Bias& bias, X* y) {
  if (rows == M) return attend_tile<X, M>(a, q, kt, v, scores, keys, visible, causal_step, bias, y);
  if constexpr (M > 1) attend_tiles<X, M - 1>(rows, a, q, kt, v, scores, keys, visible, causal_step, bias, y);
}

// Attention of one query of a head without copies: `at` returns the offset of each key and value.
template <class X, class At>
void attend_query(const Attention& a, const float* q, const X* k, const X* v, At at, float* scores, ptrdiff_t visible,
                  const Bias& bias, X* y) {
  const ptrdiff_t padded = (visible + LANES - 1) / LANES * LANES;
  for (ptrdiff_t j = 0; j < visible; j++) {
    const X* key = k + at(j);
    vf sum = {};
    for (ptrdiff_t c = 0; c < a.width; c += LANES) sum += load_float(q + c) * load_float(key + c);
    scores[j] = reduce_sum(sum);
  }
  const float inverse = softmax(scores, visible, padded, bias);
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
  if (size <= MIN_PARALLEL_NUMBERS) threads = 1;
  parallel(a.sequences * a.heads, chunk, threads, [&](Tasks& tasks) {
    std::vector<float> scratch;
    tasks.each([&](ptrdiff_t task) {
      const ptrdiff_t n = task / a.heads, head = task % a.heads, width = a.width;
      const ptrdiff_t first = a.queries[n], queries = a.queries[n + 1] - first, start = a.keys[n],
                      keys = a.keys[n + 1] - start;
      if (!queries) return;
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
      auto bias = [&](ptrdiff_t row) {
        return Bias{a.bias ? a.bias + head * (2 * a.reach + 1) : nullptr, a.reach, keys - queries + row};
      };
      X* y = (X*)a.y + (first * a.heads + head) * width;
      if (queries <= MAX_DIRECT_QUERIES) {
        for (ptrdiff_t row = 0; row < queries; row++) {
          scaled(row, q);
          attend_query(a, q, ks, vs, at, scores, visible(row), bias(row), y + row * a.heads * width);
        }
        return;
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
        attend_tiles<X>(rows, a, q, kt, v, scores, keys, visible(row), a.causal, bias(row), y + row * a.heads * width);
      }
    });
  });
}

}  // namespace
