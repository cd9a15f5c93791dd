// Threads that execute whole asynchronous runs. They are not libuv's four threads, because file and DNS
// requests need those. They are not the pool's threads either, which share the work within one run. They are
// started on demand and sleep if there is no work.
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
    // Called on a runner. It must call Runners::finishing(). The job may be destroyed when this returns.
    virtual void run() = 0;

   private:
    friend class Runners;
    Job* next_ = nullptr;
  };

  // Never destroyed: its threads sleep until the process ends.
  static Runners& instance();

  // Makes sure that there is a thread. Returns false if there is none and none can be started.
  bool prepare();

  // Gives a job to a free thread or to a new one. Returns false if all threads are busy and no new one can be
  // started.
  [[nodiscard]] bool offer(Job& job);

  // A job calls this on its runner: from then on the thread counts as free. The rest of the job must not wait
  // for another job.
  void finishing();

  static constexpr int maxThreads = 64;

 private:
  Runners();
  ~Runners() = default;
  bool startThread();
  void work();
  static void* main(void* self);

  // The limit is processors(), because more threads would only compete for processors. But it is at least
  // leastThreads, so that a short run need not wait until a long run ends.
  static constexpr int leastThreads = 4;
  const int limit_;

  std::mutex mutex_;
  std::condition_variable wake_;
  int threads_ = 0;
  int free_ = 0;  // free threads minus the jobs in the queue
  Job* first_ = nullptr;
  Job* last_ = nullptr;
};

}  // namespace forebay
