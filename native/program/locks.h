// Who may run when. Programs that share leaves compute side by side and write alone, per leaf; runs that
// write a common leaf go one after another, in the order in which they were asked for; nobody reads
// a leaf while it is being written.
//
// A run claims all that it touches at once, before it starts, and waits for no one while it computes.
// Before its first write it gives up what it only reads, and waits until nobody else reads what it
// writes; those who would now like to begin reading that wait behind it. There is no deadlock: a run
// that waits to begin holds nothing, one that waits to write waits for runs that compute, and those
// wait for nobody.
//
// A request that waits knows one other that keeps it from starting, the last that does, and is looked at
// again only when that one starts, goes on to its next step, leaves or is withdrawn. So a step of one run in
// a long line costs the same as in a short one.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace forebay {

// Leaves by address, in ascending order and each once. The memory is the owner's.
struct LeafSet {
  const void* const* leaves = nullptr;
  std::size_t count = 0;
};

struct Claims {
  LeafSet reads;   // while computing
  LeafSet writes;  // and what is read during the writes
  // Runs of one line go one at a time, in order: programs made of one graph share one.
  const void* line = nullptr;
};

class Locks {
 public:
  // One run's claims, from asking until it leaves. Whoever made it keeps it where it is until then.
  class Request {
   public:
    explicit Request(const Claims& claims) : claims_(claims) {}
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    virtual ~Request() = default;

   protected:
    // For a request that was lined up: its turn has come, and some thread is to run it. False: there is
    // none now, ask again when a run has left. Called under the locks' mutex, on any thread.
    virtual bool start() { return true; }
    // For one that was lined up: the last that is said to it. It is in no list any more, and those
    // behind it have not started yet. Under the mutex, too.
    virtual void left() {}
    // For one that was started: it is to leave soon, as the process ends. Under the mutex, too.
    virtual void hurry() {}

   private:
    friend class Locks;
    enum class Stage : std::uint8_t { none, waiting, computing, writing };
    // Neighbours in a list.
    struct Links {
      Request* previous = nullptr;
      Request* next = nullptr;
    };
    // Requests, linked by one of their links.
    template <Links Request::*links>
    struct List {
      Request* first = nullptr;
      Request* last = nullptr;
      // After those that asked before it.
      void add(Request& request);
      void remove(Request& request);
    };
    // In the list of all that wait, or of all that run.
    Links all_;
    // Of one that waits: in the list of those that are considered again at the same event.
    Links alike_;
    using All = List<&Request::all_>;
    using Alike = List<&Request::alike_>;

    const Claims claims_;
    Stage stage_ = Stage::none;
    bool linedUp_ = false;
    // Its place in the order of asking.
    std::uint64_t number_ = 0;
    // Those that wait and cannot start because of this one.
    Alike blocked_;
    // Of one that waits: which list it is in.
    Alike* holder_ = nullptr;
  };

  // Those of the process; any number of others may be made, for tests.
  static Locks& instance();

  // Asks, and blocks until the turn has come.
  void enter(Request& request);
  // Asks, and returns at once; start() is called when the turn has come, possibly before this returns.
  void lineUp(Request& request);
  // Takes a request that was lined up out again. False: it has started already, and will leave by itself.
  [[nodiscard]] bool withdraw(Request& request);

  // Of a run that has entered or was started: before its first write; after its last, when it will go
  // on to compute another step; at its end.
  void beforeWrites(Request& request);
  void nextStep(Request& request);
  void leave(Request& request);

  // From here on nothing that was lined up starts; returns when none that had started is running. For
  // the end of the process, before destructors take away what those runs use.
  void close();

  // How often two requests have been compared so far: what the locks cost, for tests.
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
  void moved();

  std::mutex mutex_;
  std::condition_variable moved_;
  int blocked_ = 0;  // threads that wait for `moved_`
  bool closed_ = false;
  bool began_ = false;  // something, since the blocked threads were told
  std::size_t comparisons_ = 0;
  std::uint64_t asked_ = 0;
  // In the order of asking.
  Request::All waiting_, running_;
  // Of those that wait: to be looked at now; and those that may start, but there is no thread for them.
  Alike pending_, starved_;
};

}  // namespace forebay
