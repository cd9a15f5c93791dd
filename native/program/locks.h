// Locks on leaves: they decide when a run may compute and when it may write.
//   - Programs that share leaves compute concurrently. Each leaf is written by one run at a time.
//   - Runs that write a common leaf execute one after another, in the order of their requests.
//   - No run reads a leaf while another run writes it.
//
// A run claims all of its leaves together, before it starts, and does not wait while it computes. Before its
// first write it releases the leaves that it only reads, and waits until no other run reads the leaves that
// it writes. Runs that request to read those leaves from then on wait until the writes are done.
//
// There is no deadlock: a run that waits to start holds no lock. A run that waits to write waits only for
// runs that compute, and runs that compute do not wait.
//
// A waiting request has one blocker: the last waiting request that prevents its start, or else a running one.
// It is checked again only when its blocker starts to compute, continues with its next step, leaves or is
// withdrawn. So the cost of a step does not depend on the number of waiting requests.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace forebay {

// Leaves by address, in ascending order, without duplicates. The set does not own its memory.
struct LeafSet {
  const void* const* leaves = nullptr;
  std::size_t count = 0;
};

struct Claims {
  LeafSet reads;   // the leaves that are read while computing
  LeafSet writes;  // the leaves that are written, or read during the writes
  // Runs with the same line execute one at a time, in order. Programs of the same graph have the same line.
  const void* line = nullptr;
};

class Locks {
 public:
  // The claims of one run, from its request until it leaves. The caller keeps the object at its address until
  // then.
  class Request {
   public:
    explicit Request(const Claims& claims) : claims_(claims) {}
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    virtual ~Request() = default;

   protected:
    // The callbacks are called for requests that were made by lineUp(), on any thread, with the mutex locked.

    // The run may start: gives it to a thread. Returns false if no thread is free; start() is then called
    // again after another run has left.
    virtual bool start() { return true; }
    // The run has left. This is the last access to the request. It is not in any list any more, and the
    // requests that wait for it have not started yet.
    virtual void left() {}
    // The process ends: a run that was started must leave soon.
    virtual void hurry() {}

   private:
    friend class Locks;
    enum class Stage : std::uint8_t { none, waiting, computing, writing };
    // The neighbours in a list.
    struct Links {
      Request* previous = nullptr;
      Request* next = nullptr;
    };
    // A list of requests, in the order of their numbers. `links` is the member that holds the neighbours.
    template <Links Request::*links>
    struct List {
      Request* first = nullptr;
      Request* last = nullptr;
      // Inserts a request after those with smaller numbers.
      void add(Request& request);
      void remove(Request& request);
    };
    // For the list of all waiting requests or of all running ones.
    Links all_;
    // For the list of waiting requests that `holder_` points to.
    Links alike_;
    using All = List<&Request::all_>;
    using Alike = List<&Request::alike_>;

    const Claims claims_;
    Stage stage_ = Stage::none;
    bool linedUp_ = false;
    // Requests are numbered in the order in which they are made.
    std::uint64_t number_ = 0;
    // The waiting requests whose blocker is this request.
    Alike blocked_;
    // The list that holds this request while it waits: blocked_ of its blocker, pending_ or starved_.
    Alike* holder_ = nullptr;
  };

  // The locks of the process. Tests may make others.
  static Locks& instance();

  // Blocks until the run may start.
  void enter(Request& request);
  // Returns immediately. start() is called when the run may start, possibly before this returns.
  void lineUp(Request& request);
  // Cancels a request that was made by lineUp(). Returns false if the run has already started; it then leaves
  // as usual.
  [[nodiscard]] bool withdraw(Request& request);

  // A run that has entered or was started calls beforeWrites() before its first write, nextStep() after its
  // last write if it computes another training step, and leave() at its end.
  void beforeWrites(Request& request);
  void nextStep(Request& request);
  void leave(Request& request);

  // Stops starting requests that were made by lineUp(), and returns when all runs that they started have
  // left. Called at the end of the process, before destructors destroy data that those runs use.
  void close();

  // The number of comparisons of two requests so far. Tests use it to measure the cost of the locks.
  std::size_t comparisons() const { return comparisons_; }

 private:
  using Alike = Request::Alike;

  Request* blockerOf(const Request& request);
  bool readElsewhere(const Request& writer) const;
  bool writtenElsewhere(const Request& reader) const;
  void ask(Request& request, bool linedUp);
  void hold(Request& request, Alike& list);
  void release(Request& request);
  void reconsider(Request& blocker);
  bool consider(Request& request, bool threadsLeft);
  void begin(Request& request);
  void startWaiting();
  template <class Condition>
  void waitUntil(std::unique_lock<std::mutex>& lock, const Condition& condition);
  void notify();

  std::mutex mutex_;
  std::condition_variable changed_;
  int blocked_ = 0;  // threads that wait for `changed_`
  bool closed_ = false;
  bool began_ = false;  // a run has started since the blocked threads were last notified
  std::size_t comparisons_ = 0;
  std::uint64_t asked_ = 0;
  // In the order of their numbers.
  Request::All waiting_, running_;
  // Waiting requests that must be checked again, and those that may start but have no free thread.
  Alike pending_, starved_;
};

}  // namespace forebay
