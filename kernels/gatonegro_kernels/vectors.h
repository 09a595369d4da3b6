// Vectors of numbers: loads, reductions and functions of each lane.
//
// They are GCC's and Clang's, https://gcc.gnu.org/onlinedocs/gcc/Vector-Extensions.html; the compiler's flags set their
// width.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>
#include <utility>
#ifdef __aarch64__
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif

namespace {

#ifdef __AVX512F__
constexpr int LANES = 16, VECTORS = 4;  // 6 × 4 sums, 4 vectors of W and one of x: 29 registers of 32
#elif defined(__aarch64__)
constexpr int LANES = 4, VECTORS = 4;  // as many
#else
constexpr int LANES = 8, VECTORS = 2;  // 6 × 2 sums: 15 of 16
#endif
constexpr int TILE_ROWS = 6, PANEL_ROWS = LANES * VECTORS;

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

// The lanes of a and then b whose numbers are index(0), index(1), …
template <class F, int... I>
inline vf shuffle(vf a, vf b, F index, std::integer_sequence<int, I...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, index(I)...);
#else
  return __builtin_shuffle(a, b, vi{index(I)...});
#endif
}
typedef std::make_integer_sequence<int, LANES> AllLanes;

// Reduction of all lanes: each lane with the one HALF away, then by halves.
template <int HALF = LANES / 2, class F>
inline float reduce(vf v, F f) {
  if constexpr (HALF == 0)
    return v[0];
  else {
    return reduce<HALF / 2>(f(v, shuffle(v, v, [](int i) { return i ^ HALF; }, AllLanes{})), f);
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

}  // namespace
