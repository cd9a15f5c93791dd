// The locks of leaves for JavaScript. The reference executor uses them while compiled runs that use the same
// leaves are in flight.
#include <algorithm>
#include <functional>
#include <new>

#include "binding/program.h"

namespace forebay {

namespace {

class Claim final : public Handle {
 public:
  Claim() : Handle(Kind::claim) {}
  ~Claim() override { release(); }

  bool read(Call& call) {
    return readLeaves(call, 0, reads_, claims_.reads) && readLeaves(call, 1, writes_, claims_.writes);
  }
  // Waits until the claim is granted. This blocks the JavaScript thread, which the runs that it waits for do
  // not need.
  bool enter(Call& call) {
    request_.reset(new (std::nothrow) Locks::Request(claims_));
    if (!request_) return call.fault().memory("claimLeaves: there is no memory left");
    Locks::instance().enter(*request_);
    return true;
  }
  void beginWrites() {
    if (request_) Locks::instance().beforeWrites(*request_);
  }
  void release() {
    if (request_) Locks::instance().leave(*request_);
    request_.reset();
  }

 private:
  static bool readLeaves(Call& call, std::size_t argument, std::unique_ptr<const void*[]>& addresses,
                         LeafSet& leaves) {
    std::uint32_t count = 0;
    if (!call.list(argument, "the leaves", count)) return false;
    const std::unique_ptr<napi_value[]> values(new (std::nothrow) napi_value[count]);
    addresses.reset(new (std::nothrow) const void*[count]);
    if (!values || !addresses) return call.fault().memory("claimLeaves: no memory for %u leaves", count);
    if (!call.elements(argument, count, values.get())) return false;
    std::size_t kept = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      Array array;
      if (!call.typedArray(values[i], "leaf", i, true, array)) return false;
      if (array.length > 0) addresses[kept++] = array.data;
    }
    std::sort(addresses.get(), addresses.get() + kept, std::less<const void*>());
    leaves = {addresses.get(), static_cast<std::size_t>(std::unique(addresses.get(), addresses.get() + kept) -
                                                        addresses.get())};
    return true;
  }

  std::unique_ptr<const void*[]> reads_, writes_;
  Claims claims_;
  std::unique_ptr<Locks::Request> request_;
};

}  // namespace

// claimLeaves(reads, writes): waits, as a run does, until the caller may use the leaves; returns the claim
napi_value claimLeaves(napi_env env, napi_callback_info info) {
  Call call(env, info, "claimLeaves");
  napi_value handle = nullptr;
  std::unique_ptr<Claim> claim(new (std::nothrow) Claim);
  if (!claim) {
    call.fault().memory("claimLeaves: there is no memory left");
  } else if (call.atLeast(2) && claim->read(call)) {
    Claim* const made = claim.get();
    handle = call.external(claim.release());
    // The claim takes the locks last, so that no failure is possible between this and the return of the
    // handle.
    if (handle != nullptr) static_cast<void>(made->enter(call));
  }
  return call.finish(handle);
}

// beginWrites(claim): waits until no run reads the leaves that the claim writes
napi_value beginWrites(napi_env env, napi_callback_info info) {
  Call call(env, info, "beginWrites");
  Claim* claim = nullptr;
  if (call.handle(0, "a claim", Handle::Kind::claim, claim)) claim->beginWrites();
  return call.finish();
}

// releaseLeaves(claim): releases the locks of the claim; may be called again
napi_value releaseLeaves(napi_env env, napi_callback_info info) {
  Call call(env, info, "releaseLeaves");
  Claim* claim = nullptr;
  if (call.handle(0, "a claim", Handle::Kind::claim, claim)) claim->release();
  return call.finish();
}

}  // namespace forebay
