// Runners are threads that execute whole asynchronous runs. The four threads of libuv are not used, because
// file and DNS requests need them. The threads of the pool (pool.h) are not used either, because they share
// the work within one run. Runners are started on demand and sleep if there is no work.
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
    // Executes the job on a runner, and must call Runners::finishing(). The job may be destroyed before this
    // function returns.
    virtual void run() = 0;

   private:
    friend class Runners;
    Job* next_ = nullptr;
  };

  // Returns the runners of the process. The object is never destroyed. Its idle threads sleep until the
  // process ends.
  static Runners& instance();

  // Makes sure that at least one thread exists. Returns false if none exists and none can be started.
  bool prepare();

  // Gives a job to a free thread or to a new thread. Returns false if all threads are busy and no new thread
  // can be started.
  [[nodiscard]] bool offer(Job& job);

  // A job calls this on its runner shortly before it ends. From then on, the thread counts as free. The rest
  // of the job must not wait for another job.
  void finishing();

  static constexpr int maxThreads = 64;

 private:
  Runners();
  ~Runners() = default;
  bool startThread();
  void work();
  static void* main(void* self);

  // The largest number of threads. It is processors(), because more threads would only compete for
  // processors, but at least leastThreads, so that a short run need not wait until a long run ends.
  static constexpr int leastThreads = 4;
  const int limit_;

  std::mutex mutex_;
  std::condition_variable wake_;
  int threads_ = 0;
  int free_ = 0;  // the number of free threads minus the number of jobs in the queue
  Job* first_ = nullptr;
  Job* last_ = nullptr;
};

}  // namespace forebay
