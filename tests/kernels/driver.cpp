// Compares the kernels with plain loops on random problems: DRIVER ROUNDS SEED LARGEST_WEIGHT [busy|idle].
//
// Prints the first difference and exits with 1, or prints how many numbers agree. int8 results must have the same bits,
// and so must results of any number of threads, of callers that compete for the workers, and of a process that is
// forked while others compute (busy; the sanitizers' own allocators do not survive that) or after that (idle).
#include "kernels.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <unistd.h>
#include <sys/wait.h>
#include <vector>

typedef std::vector<float> Floats;
typedef std::vector<uint16_t> Halves;
std::mt19937 source;
int checked, largest_weight;

int whole(int from, int to) { return std::uniform_int_distribution(from, to)(source); }
bool coin() { return whole(0, 1); }
Floats normal(size_t n, float scale = 1) {
  Floats x(n);
  for (float& v : x) v = std::normal_distribution<float>(0, scale)(source);
  return x;
}
void expect(bool holds, const std::string& what) {
  checked++;
  if (holds) return;
  printf("different: %s\n", what.c_str());
  exit(1);
}

float widened(uint16_t x) {
  uint32_t wide = uint32_t(x) << 16;
  float y;
  memcpy(&y, &wide, 4);
  return y;
}
uint16_t narrowed(float x) {
  uint32_t wide;
  memcpy(&wide, &x, 4);
  return uint16_t((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
}

// Numbers in fp32, and in bf16 if so asked; then the fp32 numbers are the rounded ones.
struct Matrix {
  Floats floats;
  Halves halves;
  bool is_bf16;
  Matrix(Floats numbers, bool is_bf16) : floats(std::move(numbers)), is_bf16(is_bf16) {
    for (float& v : floats)
      if (is_bf16) v = widened(halves.emplace_back(narrowed(v)));
  }
  const void* data() const { return is_bf16 ? (const void*)halves.data() : floats.data(); }
};

// A result of `size` numbers that a kernel writes, with 1, 2 and 5 threads, which must write the same bits.
Floats result(size_t size, bool is_bf16, const std::string& what, const std::function<void(void*, int)>& compute) {
  Floats y(size), again(size);
  Halves half(size), half_again(size);
  compute(is_bf16 ? (void*)half.data() : y.data(), 1);
  for (int threads : {2, 5}) {
    compute(is_bf16 ? (void*)half_again.data() : again.data(), threads);
    expect(is_bf16 ? half == half_again : !size || !memcmp(y.data(), again.data(), size * 4), what + ", by threads");
  }
  for (size_t i = 0; is_bf16 && i < size; i++) y[i] = widened(half[i]);
  return y;
}

void compare(const Floats& y, const Floats& expected, float tolerance, const std::string& what) {
  for (size_t i = 0; i < y.size(); i++) {
    const float error = std::fabs(y[i] - expected[i]);
    expect(error <= tolerance * std::max(1.0f, std::fabs(expected[i])),
           what + " at " + std::to_string(i) + ": " + std::to_string(y[i]) + ", not " + std::to_string(expected[i]));
  }
}

double activated(double x, int act) {
  switch (act) {
    case 1:
      return x > 0 ? x : 0;
    case 2:
      return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5)));
    case 3:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case 4:
      return x / (1 + std::exp(-x));
    case 5:
      return std::tanh(x);
    default:
      return x;
  }
}

void check_linear(bool large) {
  const int word = 1 << whole(0, 2), act = whole(0, 5);
  const bool exact = word == 4 && act < 2, added = coin();
  const int rows = large ? whole(40, 110) : whole(0, 20), n = large ? whole(60, 140) : whole(1, 70);
  int k = large ? whole(500, 700) * word : whole(1, 90);
  if (whole(0, 9) == 0) k = 1024 * word + whole(1, 90);  // more than is summed at a time
  if (word == 2) k += k % 2;
  const bool x_bf16 = word == 2 || (word == 4 && coin()), y_bf16 = word != 1 && coin();
  const std::string what = "linear, word " + std::to_string(word) + ", " + std::to_string(rows) + "x" +
                           std::to_string(k) + "x" + std::to_string(n) + ", act " + std::to_string(act);

  const int wide = gatonegro_wide(), padded_n = (n + wide - 1) / wide * wide, steps = (k + word - 1) / word;
  Matrix x(normal(size_t(rows) * k), x_bf16), add(normal(size_t(rows) * n), y_bf16);
  Floats w = normal(size_t(n) * k, 1 / std::sqrt(float(k)));
  std::vector<char> panels(size_t(padded_n) * steps * 4);
  for (int j = 0; j < n; j++)
    for (int i = 0; i < k; i++) {
      float& v = w[size_t(j) * k + i];
      char* at = &panels[((size_t(j / wide) * steps + i / word) * wide + j % wide) * 4 + i % word * (4 / word)];
      if (word == 1) memcpy(at, &v, 4);
      if (word == 2) {
        const uint16_t half = narrowed(v);
        v = widened(half), memcpy(at, &half, 2);
      }
      if (word == 4) v = *(signed char*)at = (signed char)whole(-largest_weight, largest_weight);
    }
  Floats bias = exact ? Floats(n) : normal(n), scale = normal(n, 0.01f / std::sqrt(float(k))), offset(n);
  const bool symmetric = coin(), smoothed = word == 4 && symmetric && coin();
  const int zero_point = symmetric ? 128 : 0;
  const float input_min = symmetric ? 0 : -0.17f;
  if (word == 4 && !symmetric) {  // of an activation that is never below it
    for (float& v : x.floats) v = std::max(v, -0.17f);
    x = Matrix(x.floats, false);
  }
  Floats inv_smooth = normal(k);
  for (float& v : inv_smooth) v = std::fabs(v) + 0.1f;
  for (int j = 0; j < n; j++) {
    float sum = 0;
    for (int i = 0; i < k; i++) sum += w[size_t(j) * k + i];
    offset[j] = -zero_point * sum * scale[j];
  }

  Floats expected(size_t(rows) * n);
  for (int r = 0; r < rows; r++) {
    Floats row(x.floats.begin() + size_t(r) * k, x.floats.begin() + size_t(r + 1) * k);
    float step = 1;
    if (word == 4) {  // as bytes
      float top = symmetric ? 0 : -3e38f;
      for (int i = 0; i < k; i++) {
        if (smoothed) row[i] *= inv_smooth[i];
        top = std::max(top, symmetric ? std::fabs(row[i]) : row[i]);
      }
      step = std::max(top - input_min, 1e-30f) / (symmetric ? 127 : 255);
      const float factor = 1 / step;
      for (float& v : row) {
        const float byte = std::max(std::fma(v - input_min, factor, 12582912.0f + zero_point), 12582912.0f);
        v = int(byte - 12582912.0f) & 255;
      }
    }
    for (int j = 0; j < n; j++) {
      double sum = 0;
      for (int i = 0; i < k; i++) sum += double(row[i]) * w[size_t(j) * k + i];
      float y = word == 4 ? std::fma(float(sum), scale[j], offset[j]) * step : float(sum);
      y = act ? float(activated(double(y) + bias[j], act)) : y + bias[j];
      if (added) y += add.floats[size_t(r) * n + j];
      expected[size_t(r) * n + j] = y_bf16 ? widened(narrowed(y)) : y;
    }
  }

  for (Floats* v : {&bias, &scale, &offset}) v->resize(padded_n);
  const Weights weights{
      panels.data(), bias.data(), scale.data(), offset.data(), smoothed ? inv_smooth.data() : nullptr, n, k, input_min,
      zero_point,    word,        act};
  std::vector<char> scratch(word == 4 ? size_t(rows) * (4 + steps * 4) : 0);
  const Floats y = result(expected.size(), y_bf16, what, [&](void* to, int threads) {
    gatonegro_linear(&weights, x.data(), x.is_bf16, rows, scratch.data(), added ? add.data() : nullptr, to, y_bf16,
                     threads);
  });
  compare(y, expected, exact ? 0 : y_bf16 ? 2e-2f : 1e-5f, what);
}

void check_norm(bool large) {
  const int rows = large ? whole(300, 500) : whole(0, 9), k = 16 * (large ? 16 : whole(1, 20));
  const bool is_bf16 = coin(), rms = coin();
  Matrix x(normal(size_t(rows) * k, 3), is_bf16);
  const Floats weight = normal(k), bias = normal(k);
  Floats expected(x.floats.size());
  for (int r = 0; r < rows; r++) {
    const float* row = &x.floats[size_t(r) * k];
    const double mean = rms ? 0 : std::accumulate(row, row + k, 0.0) / k;
    const double variance =
        std::accumulate(row, row + k, 0.0, [&](double sum, double v) { return sum + (v - mean) * (v - mean); }) / k;
    for (int i = 0; i < k; i++)
      expected[size_t(r) * k + i] = (row[i] - mean) / std::sqrt(variance + 1e-5) * weight[i] + (rms ? 0 : bias[i]);
  }
  const Floats y = result(expected.size(), is_bf16, "norm", [&](void* to, int threads) {
    gatonegro_norm(x.data(), is_bf16, rows, k, weight.data(), rms ? nullptr : bias.data(), 1e-5f, to, threads);
  });
  compare(y, expected, is_bf16 ? 2e-2f : 1e-5f, "norm");
}

void check_attend(bool large) {
  const bool is_bf16 = coin(), causal = coin(), cached = coin(), biased = coin(), few = coin();
  const int sequences = large ? 12 : whole(0, 5), heads = whole(1, 3), width = 16 * whole(1, 5), reach = whole(0, 20);
  std::vector<int32_t> queries{0}, keys{0}, indices;
  for (int i = 0; i < sequences; i++) {  // also more queries than keys, and none
    queries.push_back(queries.back() + (few ? whole(0, 2) : whole(0, 25)));
    keys.push_back(keys.back() + whole(0, large ? 70 : 40));
  }
  const int rows = keys.back() + (cached ? 7 : 0), gap = 16 * whole(0, 2), stride = heads * width + gap;
  for (int i = 0; cached && i < keys.back(); i++) indices.push_back(whole(0, rows - 1));
  indices.reserve(1);  // so that data() is no null pointer, which would mean consecutive rows
  Matrix q(normal(size_t(queries.back()) * stride), is_bf16), k(normal(size_t(rows) * stride), is_bf16),
      v(normal(size_t(rows) * stride), is_bf16);
  const Floats bias = normal(size_t(heads) * (2 * reach + 1));
  const float scale = 1 / std::sqrt(float(width));

  Floats expected(size_t(queries.back()) * heads * width);
  for (int n = 0; n < sequences; n++)
    for (int h = 0; h < heads; h++)
      for (int row = queries[n]; row < queries[n + 1]; row++) {
        const int count = keys[n + 1] - keys[n], place = count - (queries[n + 1] - row);
        const int visible = causal ? std::max(place + 1, 0) : count;
        std::vector<double> scores(visible);
        auto at = [&](int j, int c) {
          return size_t(cached ? indices[keys[n] + j] : keys[n] + j) * stride + h * width + c;
        };
        for (int j = 0; j < visible; j++) {
          for (int c = 0; c < width; c++)
            scores[j] += double(q.floats[size_t(row) * stride + h * width + c]) * k.floats[at(j, c)] * scale;
          if (biased) scores[j] += bias[h * (2 * reach + 1) + reach + std::clamp(j - place, -reach, reach)];
        }
        const double top = visible ? *std::max_element(scores.begin(), scores.end()) : 0;
        double sum = 0;
        for (double& s : scores) sum += s = std::exp(s - top);
        for (int c = 0; c < width; c++) {
          double y = 0;
          for (int j = 0; j < visible; j++) y += scores[j] / sum * v.floats[at(j, c)];
          expected[(size_t(row) * heads + h) * width + c] = y;
        }
      }
  const Floats y = result(expected.size(), is_bf16, "attention", [&](void* to, int threads) {
    gatonegro_attend(q.data(), k.data(), v.data(), is_bf16, stride, stride, queries.data(), keys.data(),
                     cached ? indices.data() : nullptr, biased ? bias.data() : nullptr, reach, sequences, heads, width,
                     scale, causal, to, threads);
  });
  compare(y, expected, is_bf16 ? 2e-2f : 1e-5f, "attention");
}

void check_best(bool large) {
  const int rows = large ? 40 : whole(0, 6), n = large ? whole(1700, 2500) : whole(1, 300), count = whole(0, 9);
  Floats x = normal(size_t(rows) * n, 3);
  for (float& v : x) v = coin() ? std::round(v) : v;  // some equal ones
  std::vector<int32_t> starts{0}, banned;
  for (int r = 0; r < rows; r++) {
    for (int i = whole(0, 3); i; i--) banned.push_back(whole(0, n - 1));
    starts.push_back(banned.size());
  }
  std::vector<int64_t> indices(rows * count);
  Floats sums(rows);
  const Floats values = result(rows * count, false, "top-k", [&](void* to, int threads) {
    gatonegro_best(x.data(), rows, n, count, starts.data(), banned.data(), (float*)to, indices.data(), sums.data(),
                   threads);
  });
  for (int r = 0; r < rows; r++) {
    const float* row = &x[size_t(r) * n];
    std::vector<int> order;
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += std::exp(double(row[i]));
      if (std::find(banned.begin() + starts[r], banned.begin() + starts[r + 1], i) == banned.begin() + starts[r + 1])
        order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return row[a] > row[b]; });
    expect(std::fabs(sums[r] - std::log(sum)) < 1e-5 * std::max(1.0, std::fabs(std::log(sum))), "log-sum-exp");
    for (int i = 0; i < count; i++) {
      const int at = r * count + i;
      if (i < int(order.size()))
        expect(indices[at] == order[i] && values[at] == row[order[i]], "top-k");
      else
        expect(std::isinf(values[at]) && indices[at] >= 0 && indices[at] < n, "top-k beyond the row");
    }
  }
}

void check_weights(bool large) {
  const int n = large ? whole(60, 140) : whole(1, 50), k = large ? whole(300, 500) : whole(1, 90), wide = gatonegro_wide();
  const bool is_int8 = coin(), smoothed = coin(), narrow = coin();
  const int padded = (n + wide - 1) / wide * wide, steps = (k + 3) / 4;
  Floats weight = normal(size_t(n) * k), row_scales = normal(n), smooth = normal(k);
  std::vector<int8_t> bytes(weight.size());
  for (size_t i = 0; is_int8 && i < weight.size(); i++) bytes[i] = int8_t(whole(-127, 127));
  for (float& factor : row_scales) factor = is_int8 ? std::fabs(factor) + 0.01f : 1.0f;
  for (float& factor : smooth) factor = smoothed ? std::fabs(factor) + 0.1f : 1.0f;
  for (size_t i = 0; is_int8 && i < weight.size(); i++) weight[i] = bytes[i] * row_scales[i / k];
  const void* source = is_int8 ? (const void*)bytes.data() : weight.data();
  const float* factors = is_int8 ? row_scales.data() : nullptr;
  const std::string what = "weights " + std::to_string(n) + "x" + std::to_string(k);

  const Floats sizes = result(k, false, what + ", sizes", [&](void* y, int threads) {
    gatonegro_sizes(source, is_int8, factors, n, k, (float*)y, threads);
  });
  for (int i = 0; i < k; i++) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += double(weight[size_t(j) * k + i]) * weight[size_t(j) * k + i];
    expect(std::fabs(sizes[i] - std::sqrt(sum / n)) <= 1e-5 * (1 + std::sqrt(sum / n)), what + ", sizes");
  }
  std::vector<char> panels(size_t(padded) * steps * 4, 77), again(panels);
  Floats scales(padded), more(padded);
  std::vector<int32_t> sums(padded), others(padded);
  const float* smoothing = smoothed ? smooth.data() : nullptr;
  gatonegro_quantise(source, is_int8, factors, n, k, smoothing, narrow, panels.data(), scales.data(), sums.data(), 1);
  gatonegro_quantise(source, is_int8, factors, n, k, smoothing, narrow, again.data(), more.data(), others.data(), 3);
  expect(panels == again && scales == more && sums == others, what + ", by threads");
  for (int j = 0; j < padded; j++) {
    float largest = 0;
    int sum = 0;
    Floats row(k + 1);
    for (int i = 0; j < n && i < k; i++) row[i] = weight[size_t(j) * k + i] * smooth[i];
    for (int i = 0; i < k; i++) {
      largest = std::max(largest, std::fabs(row[i]));
      if (narrow && i % 2 == 0) largest = std::max(largest, std::fabs(row[i]) + std::fabs(row[i + 1]));
    }
    const float scale = j < n ? std::max(1e-30f, largest / 127) : 0;
    expect(scales[j] == scale, what + ", scale");
    for (int i = 0; i < steps * 4; i++) {
      const int byte = (signed char)panels[((size_t(j / wide) * steps + i / 4) * wide + j % wide) * 4 + i % 4];
      const float wanted = i < k && scale ? std::nearbyint(row[i] / scale) : 0;
      expect(byte == std::min(127.0f, std::max(-127.0f, wanted)), what + ", bytes");
      sum += byte;
    }
    expect(sums[j] == sum, what + ", sums");
  }
}

// A product that takes several threads; callers each compare theirs with the one of a single thread.
struct Product {
  int rows = 64, k = 256, n = 128;
  Floats x = normal(rows * k), panels = normal(n * k), bias = normal(n), expected = compute(1);
  Floats compute(int threads) {
    const Weights w{(const char*)panels.data(), bias.data(), nullptr, nullptr, nullptr, n, k, 0, 0, 1, 2};
    Floats y(rows * n);
    gatonegro_linear(&w, x.data(), 0, rows, nullptr, nullptr, y.data(), 0, threads);
    return y;
  }
  bool holds(int threads) { return compute(threads) == expected; }
};

int main(int, char** arguments) {
  const int rounds = atoi(arguments[1]);
  source.seed(atoi(arguments[2]));
  largest_weight = atoi(arguments[3]);  // 64 where the kernel adds neighbours in 16 bits, else 127
  const std::string forks = arguments[4] ? arguments[4] : "";
  for (int i = 0; i < rounds; i++) {
    const bool large = i % 4 == 0;
    check_linear(large), check_norm(large), check_attend(large), check_best(large), check_weights(large);
  }
  std::vector<Product> products(3);
  std::vector<std::thread> callers;
  std::vector<char> held(products.size(), true);
  for (size_t i = 0; i < products.size(); i++)
    callers.emplace_back([&, i] {
      for (int round = 0; round < 30; round++) held[i] = held[i] && products[i].holds(2 + round % 3);
    });
  auto fork_some = [&] {
    for (int i = 0; i < 4; i++) {
      const pid_t child = fork();
      if (child == 0) _exit(products[0].holds(3) && products[1].holds(2) ? 0 : 1);
      int status = -1;
      waitpid(child, &status, 0);
      expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "in a forked process");
    }
  };
  if (forks == "busy") fork_some();
  for (std::thread& caller : callers) caller.join();
  if (forks == "idle") fork_some();
  expect(std::count(held.begin(), held.end(), true) == int(held.size()), "callers at the same time");
  printf("%d agree\n", checked);
}
