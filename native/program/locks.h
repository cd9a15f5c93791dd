// Locks on leaves. They decide when a run may compute and when it may write. The rules:
//   - Programs that share leaves may compute at the same time. Only one run at a time writes a leaf.
//   - Runs that write a common leaf execute one after another, in the order of their requests.
//   - No run reads a leaf while another run writes it.
//
// A run claims all its leaves together, before it starts. It does not wait while it computes. Before its
// first write, it releases the leaves that it only reads, and waits until no other run reads the leaves that
// it writes. Runs that want to read those leaves, and make their request after that, wait until the writes
// are done.
//
// No deadlock is possible. A run that waits to start holds no lock. A run that waits to write waits only for
// runs that compute, and these do not wait.
//
// Each waiting request has one blocker: the last of the earlier waiting requests that prevent its start, or,
// if there is none, a running request that prevents it. The waiting request is checked again only when its
// blocker starts to compute, continues with its next step, leaves or is withdrawn. So the work per training
// step does not depend on the number of waiting requests.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace forebay {

// A set of leaves: their addresses in ascending order, without duplicates. The set does not own its memory.
struct LeafSet {
  const void* const* leaves = nullptr;
  std::size_t count = 0;
};

struct Claims {
  LeafSet reads;   // the leaves that the run reads while it computes
  LeafSet writes;  // the leaves that the run writes, or reads during its writes
  // The identity of a queue. Runs with the same line execute one at a time, in order. Programs of the same
  // graph have the same line.
  const void* line = nullptr;
};

// Leaves that somebody watches: `expire` is called when a run may have written one of them.
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  virtual ~Watch() = default;

  LeafSet leaves;

 protected:
  // Both functions are called on any thread, with the mutex locked. No run that reads the leaf computes at
  // this time. If expired() returns true, expire() is not called.
  virtual bool expired() const = 0;
  virtual void expire() = 0;

 private:
  friend class Locks;
  Watch* previous_ = nullptr;
  Watch* next_ = nullptr;
};

class Locks {
 public:
  // The request of one run. The caller must keep the object at the same address until the run leaves.
  class Request {
   public:
    explicit Request(const Claims& claims) : claims_(claims) {}
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    virtual ~Request() = default;

   protected:
    // The callbacks below are called only for requests that lineUp() made, on any thread, with the mutex
    // locked.

    // Called when the run may start. Gives the run to a thread. Returns false if no thread is free. In this
    // case, start() is called again after another run has left.
    virtual bool start() { return true; }
    // Called when the run has left. This call is the last access to the request, which is not in any list any
    // more. Requests that wait for this run have not started yet.
    virtual void left() {}
    // Called at the end of the process, if the run has started. The run must leave soon.
    virtual void hurry() {}

   private:
    friend class Locks;
    enum class Stage : std::uint8_t { none, waiting, computing, writing };
    // The neighbours of a request in a list.
    struct Links {
      Request* previous = nullptr;
      Request* next = nullptr;
    };
    // A list of requests, in the order of their numbers. `links` is the member of a request that holds its
    // neighbours in this list.
    template <Links Request::*links>
    struct List {
      Request* first = nullptr;
      Request* last = nullptr;
      // Inserts a request after the requests with smaller numbers.
      void add(Request& request);
      void remove(Request& request);
    };
    // The neighbours in the list of all waiting requests, or in the list of all running requests.
    Links all_;
    // The neighbours in the list that `holder_` points to.
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
    // The list that contains this request while it waits: blocked_ of its blocker, or pending_ or starved_ of
    // Locks.
    Alike* holder_ = nullptr;
  };

  // Returns the locks of the process. Tests may make other objects.
  static Locks& instance();

  // Blocks until the run may start.
  void enter(Request& request);
  // Makes a request and returns without waiting. request.start() is called when the run may start, possibly
  // before lineUp() returns.
  void lineUp(Request& request);
  // Cancels a request that lineUp() made. Returns false if the run has already started. Such a run continues
  // and leaves as usual.
  [[nodiscard]] bool withdraw(Request& request);

  // A run that has started calls beforeWrites() before the first write of each training step. After the last
  // write of a step, it calls nextStep() if it computes another step. At its end, it calls leave().
  void beforeWrites(Request& request);
  void nextStep(Request& request);
  void leave(Request& request);

  // Begins and ends a watch. The caller must keep the object at the same address in between.
  void add(Watch& watch);
  void remove(Watch& watch);

  // Starts no more requests that lineUp() made, and returns when all runs of such requests have left. It is
  // called at the end of the process, before destructors destroy data that those runs use.
  void close();

  // Returns how often two requests have been compared so far. Tests use this number to measure the work of
  // the locks.
  std::size_t comparisons() const { return comparisons_; }

 private:
  using Alike = Request::Alike;

  void expireWatches(const Request& writer);
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
  int blocked_ = 0;  // the number of threads that wait for `changed_`
  bool closed_ = false;
  bool began_ = false;  // true if a run has started since the blocked threads were last notified
  std::size_t comparisons_ = 0;
  std::uint64_t asked_ = 0;
  // All requests that wait, and all that run, in the order of their numbers.
  Request::All waiting_, running_;
  // pending_: waiting requests that must be checked again. starved_: requests that may start, but for which
  // no thread was free.
  Alike pending_, starved_;
  Watch* watches_ = nullptr;
};

}  // namespace forebay
