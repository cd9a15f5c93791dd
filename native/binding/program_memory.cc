// The memory of a run: its feeds and outputs, their sizes, and what must not overlap.
#include <algorithm>
#include <cstdint>

#include "binding/program.h"

namespace forebay {

bool Compiled::countMemory(Call& call, std::size_t given) const {
  return given == memoryCount() ||
         call.fault().argument("received %zu feeds and outputs, expected %zu and %zu", given,
                               program_->feedCount(), program_->outputCount());
}

bool Compiled::hasOwn(Call& call) const { return own_ || memoryCount() == 0 || countMemory(call, 0); }

bool Compiled::readMemory(Call& call, std::size_t first, double steps, bool shared, void** addresses) const {
  const std::size_t count = memoryCount();
  if (!countMemory(call, call.count() - first)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!readArray(call, i, steps, shared, call[first + i], addresses[i])) return false;
  }
  return true;
}

bool Compiled::readArray(Call& call, std::size_t index, double steps, bool shared, napi_value value,
                         void*& address) const {
  const std::size_t feeds = program_->feedCount();
  return index < feeds ? readFeed(call, index, steps, shared, value, address)
                       : readOutput(call, index - feeds, steps, shared, value, address);
}

bool Compiled::readFeed(Call& call, std::size_t index, double steps, bool shared, napi_value value,
                        void*& address) const {
  Array array;
  if (!call.typedArray(value, "feed", index, shared, array)) return false;
  const auto bytes = static_cast<double>(array.length) * static_cast<double>(sizeOf(array.dtype));
  const double wanted = static_cast<double>(program_->feedBytes(index)) * steps;
  if (shared ? bytes < wanted : bytes != wanted) {
    return call.fault().argument("feed %zu has %.0f bytes, expected %.0f", index, bytes, wanted);
  }
  if (reinterpret_cast<std::uintptr_t>(array.data) % program_->feedAlignment(index) != 0) {
    return call.fault().argument("feed %zu is not aligned to its elements of %zu bytes", index,
                                 program_->feedAlignment(index));
  }
  address = array.data;
  return true;
}

bool Compiled::readOutput(Call& call, std::size_t index, double steps, bool shared, napi_value value,
                          void*& address) const {
  Array array;
  if (!call.typedArray(value, "output", index, shared, array)) return false;
  const DType type = program_->outputType(index);
  const auto length = static_cast<double>(array.length);
  const double wanted = static_cast<double>(program_->outputLength(index)) * steps;
  if (!sameMemory(array.dtype, type) || (shared ? length < wanted : length != wanted)) {
    return call.fault().argument("output %zu is %s of %zu elements, expected %s of %.0f", index,
                                 nameOf(array.dtype), array.length, nameOf(type), wanted);
  }
  address = array.data;
  return true;
}

std::size_t Compiled::leafOverlapping(std::uintptr_t begin, std::uintptr_t end, bool writtenOnly) const {
  // Leaves do not overlap, so their ends are in the same order as their beginnings, and a binary search by
  // ends is valid.
  const Range* const last = ranges_.get() + rangeCount_;
  const Range* const first = ranges_.get();
  const Range* range = std::upper_bound(
      first, last, begin, [](std::uintptr_t address, const Range& r) { return address < r.end; });
  for (; range != last && range->begin < end; ++range) {
    if (range->written || !writtenOnly) return range->leaf;
  }
  return leafCount_;
}

// Returns true if an output overlaps another output or a feed. Two feeds may overlap.
bool Compiled::outputsOverlap(void* const* addresses) const {
  const std::size_t feedCount = program_->feedCount(), count = memoryCount();
  const auto begin = [&](std::uint32_t i) { return reinterpret_cast<std::uintptr_t>(addresses[i]); };
  const auto bytes = [&](std::uint32_t i) {
    if (i < feedCount) return program_->feedBytes(i);
    return program_->outputLength(i - feedCount) * sizeOf(program_->outputType(i - feedCount));
  };
  std::uint32_t* const first = order_.get();
  std::uint32_t* last = first;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (bytes(i) > 0) *last++ = i;
  }
  std::sort(first, last, [&](std::uint32_t a, std::uint32_t b) { return begin(a) < begin(b); });
  std::uintptr_t endOfAll = 0, endOfOutputs = 0;
  for (const std::uint32_t* i = first; i != last; ++i) {
    const bool isOutput = *i >= feedCount;
    if (begin(*i) < (isOutput ? endOfAll : endOfOutputs)) return true;
    const std::uintptr_t end = begin(*i) + bytes(*i);
    endOfAll = std::max(endOfAll, end);
    if (isOutput) endOfOutputs = std::max(endOfOutputs, end);
  }
  return false;
}

double Compiled::findOverlap(void* const* addresses) const {
  const std::size_t feedCount = program_->feedCount(), outputCount = program_->outputCount();
  const auto refuse = [&](std::size_t subject, std::size_t object) {
    const std::size_t all = feedCount + outputCount + leafCount_;
    return firstOverlap - static_cast<double>(subject * all + object);
  };
  const auto feedAt = [&](std::size_t i) { return reinterpret_cast<std::uintptr_t>(addresses[i]); };
  const auto outputAt = [&](std::size_t i) {
    return reinterpret_cast<std::uintptr_t>(addresses[feedCount + i]);
  };
  const auto outputBytes = [&](std::size_t i) {
    return program_->outputLength(i) * sizeOf(program_->outputType(i));
  };
  const bool overlap = outputsOverlap(addresses);
  for (std::size_t i = 0; i < outputCount; ++i) {
    const std::uintptr_t begin = outputAt(i), end = begin + outputBytes(i);
    if (begin == end) continue;
    // Compares pairs only if outputsOverlap() has found an overlap, because a program may have thousands of
    // outputs.
    for (std::size_t j = 0; overlap && j < feedCount; ++j) {
      const std::size_t bytes = program_->feedBytes(j);
      if (bytes > 0 && feedAt(j) < end && begin < feedAt(j) + bytes) return refuse(i, j);
    }
    for (std::size_t j = 0; overlap && j < i; ++j) {
      const std::size_t bytes = outputBytes(j);
      if (bytes > 0 && outputAt(j) < end && begin < outputAt(j) + bytes) return refuse(i, feedCount + j);
    }
    const std::size_t leaf = leafOverlapping(begin, end, false);
    if (leaf < leafCount_) return refuse(i, feedCount + outputCount + leaf);
  }
  // A feed may be the memory of a leaf, unless the run writes that leaf, because then the run would read its
  // own writes.
  for (std::size_t i = 0; i < feedCount; ++i) {
    if (program_->feedBytes(i) == 0) continue;
    const std::size_t leaf = leafOverlapping(feedAt(i), feedAt(i) + program_->feedBytes(i), true);
    if (leaf < leafCount_) {
      return refuse(outputCount + i, feedCount + outputCount + leaf);
    }
  }
  return runDone;
}

}  // namespace forebay
