// The threads that forebay computes on. The process has one pool. Its threads sleep if there is no work.
#pragma once

namespace forebay {

class Pool {
 public:
  // Never destroyed: idle threads sleep until the process ends.
  static Pool& instance();

  // The most threads that a run may use, the calling thread included. At least 1, at most maxThreads. The
  // initial value is processors().
  void setThreads(int threads);
  int threads() const;
  static constexpr int maxThreads = 64;

  // Calls body(context, index, slot) for every index < count, on up to min(threads, threads()) threads, the
  // calling thread included. Returns when all calls are done. All writes of the calls are then visible to the
  // caller.
  //
  // `slot` < min(threads, threads()) selects the scratch of a thread. No two calls of one run have the same
  // slot at the same time. The slot of the calling thread is 0.
  //
  // Threads take indices in order, but which thread takes which index is not defined. Nothing is allocated,
  // unless threads must be started first. The calling thread does all calls alone (slot 0) if it is itself in
  // a call of a body, or if the pool is busy with another caller's run.
  void run(int threads, int count, void (*body)(void* context, int index, int slot), void* context) noexcept;

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

 private:
  Pool();
  ~Pool() = delete;

  struct State;
  State* state_;
};

}  // namespace forebay
