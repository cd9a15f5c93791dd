// A compiled program as JavaScript holds it: the executor's program, the leaves that it keeps alive, and
// what its runs claim.
#pragma once

#include <node_api.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "binding/call.h"
#include "binding/counted.h"
#include "program/locks.h"
#include "program/program.h"

namespace forebay {

// Runs of programs in one queue go one at a time, in the order of asking, and are counted.
class Queue final : public Counted {
 public:
  std::atomic<std::uint64_t> next{0};  // the index of the next run
};

// Runs refuse memory that they could not keep apart. Which two overlap comes back as a number below -2,
// as it is JavaScript that knows their names: -3 - (subject * all + object), where subjects are
// outputs, then feeds; objects are feeds, then outputs, then leaves; and `all` is how many objects there are.
constexpr double runDone = -1, runCancelled = -2, firstOverlap = -3;

class Compiled final : public Counted {
 public:
  // Of createProgram's arguments. Null after recording why.
  static Kept<Compiled> create(Call& call, Kept<Queue> queue);
  ~Compiled() override;

  Program& program() const { return *program_; }
  Queue& queue() const { return *queue_; }
  const Claims& claims() const { return claims_; }

  // Reads a run's feeds, then outputs, from argument `first` on. Each array holds the elements of `steps`
  // runs. `shared`: only memory that JavaScript cannot take away, and longer arrays will do.
  bool readMemory(Call& call, std::size_t first, double steps, bool shared, void** addresses) const;
  // The number that says which overlap, or runDone.
  double findOverlap(void* const* addresses) const;

  // For runs on this thread, which there is one of at a time: room for their addresses; and the memory
  // of those that are given none, if it was made with any.
  void** room() const { return room_.get(); }
  void** own() const { return own_.get(); }
  bool hasOwn(Call& call) const;

 private:
  struct Range {
    std::uintptr_t begin, end;
    std::size_t leaf;
    bool written;
  };
  explicit Compiled(napi_env env) : env_(env) {}
  bool readLeaves(Call& call);
  bool findClaims(Call& call, const double* code);
  bool readOwn(Call& call);
  void report(std::int64_t bytes) const;
  bool countMemory(Call& call, std::size_t given) const;
  bool readArray(Call& call, std::size_t index, double steps, bool shared, napi_value value,
                 void*& address) const;
  bool readFeed(Call& call, std::size_t index, double steps, bool shared, napi_value value,
                void*& address) const;
  bool readOutput(Call& call, std::size_t index, double steps, bool shared, napi_value value,
                  void*& address) const;
  std::size_t memoryCount() const { return program_->feedCount() + program_->outputCount(); }
  std::size_t leafOverlapping(std::uintptr_t begin, std::uintptr_t end, bool writtenOnly) const;

  const napi_env env_;
  std::unique_ptr<Program> program_;
  Kept<Queue> queue_;
  Reference keptLeaves_, keptOwn_;
  std::size_t leafCount_ = 0;
  std::unique_ptr<LeafMemory[]> leaves_;
  std::unique_ptr<Range[]> ranges_;  // of leaves with elements, ascending
  std::size_t rangeCount_ = 0;
  std::unique_ptr<const void*[]> claimed_;
  std::unique_ptr<void*[]> room_, own_;
  Claims claims_;
  std::int64_t reported_ = 0;
};

// How many threads a run is to have: what the process is set to, unless told.
int threadsOf(double wanted);

// What a program's external refers to: nothing, once it was disposed of.
bool programOf(Call& call, std::size_t argument, Kept<Compiled>& compiled);

// The entry points, but for those of async.h.
napi_value createQueue(napi_env env, napi_callback_info info);
napi_value createProgram(napi_env env, napi_callback_info info);
napi_value runProgram(napi_env env, napi_callback_info info);
napi_value profileProgram(napi_env env, napi_callback_info info);
napi_value disposeProgram(napi_env env, napi_callback_info info);
napi_value claimLeaves(napi_env env, napi_callback_info info);
napi_value beginWrites(napi_env env, napi_callback_info info);
napi_value releaseLeaves(napi_env env, napi_callback_info info);
napi_value gatherRows(napi_env env, napi_callback_info info);

}  // namespace forebay
