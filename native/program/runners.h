// Threads on which whole runs are made, off the thread that asked: not libuv's four, which files and name
// look-ups need, and not the pool's, which share the work within a run. They are started on demand and
// sleep when there is nothing to do.
#pragma once

#include <condition_variable>
#include <mutex>

namespace forebay {

class Runners {
 public:
  class Job {
   public:
    Job() = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    virtual ~Job() = default;

   protected:
    // On a runner. The job may be gone when this returns; Runners::finishing() is called on the way.
    virtual void run() = 0;

   private:
    friend class Runners;
    Job* next_ = nullptr;
  };

  // Never destroyed: its threads sleep until the process is gone.
  static Runners& instance();

  // False: no thread could be had, nor is there one from before.
  bool prepare();

  // Hands a job to a thread that has nothing to do, or to a new one. False: all are busy, and there are
  // as many as there may be.
  [[nodiscard]] bool offer(Job& job);

  // By a job, on its runner: from here on the thread counts as having nothing to do. What it still does
  // must not wait for another job.
  void finishing();

  static constexpr int maxThreads = 64;

 private:
  Runners();
  ~Runners() = default;
  bool startThread();
  void work();
  static void* main(void* self);

  // As many as processors() says: more would only get in each other's way. But a few at least, for
  // a short run not to wait until a long one has ended.
  static constexpr int leastThreads = 4;
  const int limit_;

  std::mutex mutex_;
  std::condition_variable wake_;
  int threads_ = 0;
  int free_ = 0;  // threads without a job, less the jobs that wait for one
  Job* first_ = nullptr;
  Job* last_ = nullptr;
};

}  // namespace forebay
