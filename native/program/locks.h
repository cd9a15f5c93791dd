// Who may run when. Programs that share leaves compute side by side and write alone, per leaf; runs that
// write a common leaf go one after another, in the order in which they were asked for; nobody reads
// a leaf while it is being written.
//
// A run claims all that it touches at once, before it starts, and waits for no one while it computes.
// Before its first write it gives up what it only reads, and waits until nobody else reads what it
// writes; those who would now like to begin reading that wait behind it. There is no deadlock: a run
// that waits to begin holds nothing, one that waits to write waits for runs that compute, and those
// wait for nobody.
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
    const Claims claims_;
    Stage stage_ = Stage::none;
    bool linedUp_ = false;
    Request* previous_ = nullptr;
    Request* next_ = nullptr;
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

 private:
  struct List {
    Request* first = nullptr;
    Request* last = nullptr;
    void add(Request& request);
    void remove(Request& request);
  };

  bool mayStart(const Request& request) const;
  bool readElsewhere(const Request& writer) const;
  bool writtenElsewhere(const Request& reader) const;
  void begin(Request& request);
  void startWaiting();
  template <class Condition>
  void waitUntil(std::unique_lock<std::mutex>& lock, const Condition& condition);
  void moved();

  std::mutex mutex_;
  std::condition_variable moved_;
  int blocked_ = 0;  // threads that wait for `moved_`
  bool closed_ = false;
  List waiting_, running_;
};

}  // namespace forebay
