// Threads that share the tasks of one call.
//
// Worker threads are started once and kept. The calling thread computes too, and the workers only help: a call is
// complete even if none of them ever runs. One call at a time has their help; a second one, from another thread,
// computes alone. Nothing here has a destructor, since workers may still run while the process ends.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <thread>
#ifndef _WIN32
#include <pthread.h>
#endif

namespace {

constexpr ptrdiff_t MIN_PARALLEL_NUMBERS = 1 << 16;  // numbers that one thread processes before another has started
constexpr int SPINS = 2000;                          // looks for work, some 50 µs, before a worker sleeps
constexpr int MAX_WORKERS = 1023;
constexpr uint32_t SEAT = 1 << 16;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// The tasks 0 … count − 1 of a call; each thread takes the next `chunk` of them.
struct Tasks {
  ptrdiff_t count, chunk;
  void (*compute)(Tasks&, const void* function);
  const void* function;
  std::atomic<ptrdiff_t> next{0};

  template <class F>
  void each(F f) {
    for (ptrdiff_t first; (first = next.fetch_add(chunk, std::memory_order_relaxed)) < count;)
      for (ptrdiff_t task = first; task < first + chunk && task < count; task++) f(task);
  }
};

struct Pool {
  std::atomic<uint32_t> state{0};  // SEAT × workers that may still join the call + workers that compute for it
  std::atomic<bool> busy{false};   // whether a call has the workers
  Tasks* tasks = nullptr;          // of that call
  int workers = 0;                 // threads started
};
constinit Pool pool;

inline void work() {
  for (;;) {
    uint32_t state = pool.state;
    for (int i = 0; state < SEAT && i < SPINS; i++, state = pool.state) pause();
    if (state < SEAT)
      pool.state.wait(state);
    else if (pool.state.compare_exchange_strong(state, state - SEAT + 1)) {
      pool.tasks->compute(*pool.tasks, pool.tasks->function);
      pool.state--;
    }
  }
}

inline void start_workers(int number) {
  for (; pool.workers < number; pool.workers++) try {
      std::thread(work).detach();
    } catch (const std::system_error&) {  // no more threads: those that there are compute
      return;
    }
}

#ifndef _WIN32
// A forked process has none of its parent's workers, and starts its own.
const int FORK_HANDLER = pthread_atfork(nullptr, nullptr, [] {
  pool.workers = 0;
  pool.state = 0;
  pool.busy = false;
});
#endif

// Calls f(tasks) in up to `threads` threads, each of which computes tasks.each(…) and so takes part of them.
template <class F>
void parallel(ptrdiff_t count, ptrdiff_t chunk, int threads, const F& f) {
  Tasks tasks{count, chunk, [](Tasks& tasks, const void* function) { (*(const F*)function)(tasks); }, &f};
  const ptrdiff_t parts = (count + chunk - 1) / chunk;
  int helpers = threads < parts ? threads - 1 : int(parts) - 1;
  if (helpers <= 0 || pool.busy.exchange(true)) return f(tasks);
  if (helpers > MAX_WORKERS) helpers = MAX_WORKERS;
  start_workers(helpers);
  pool.tasks = &tasks;
  pool.state = helpers * SEAT;
  for (int i = 0; i < helpers; i++) pool.state.notify_one();
  f(tasks);
  pool.state &= SEAT - 1;  // nobody joins any more
  for (int i = 0; pool.state; i++) i < SPINS ? pause() : std::this_thread::yield();
  pool.busy = false;
}

}  // namespace
