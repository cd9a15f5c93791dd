// Classes that own memory. Their functions return false if an allocation fails, and do not throw.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace forebay {

// A list whose length is set when it is allocated.
template <class T>
class Items {
 public:
  bool allocate(std::size_t count) {
    // The size is checked first, because even `new (std::nothrow)` throws if the size exceeds the address
    // space.
    if (count > PTRDIFF_MAX / 2 / sizeof(T)) return false;
    items_.reset(new (std::nothrow) T[count]());
    count_ = items_ ? count : 0;
    return items_ != nullptr;
  }

  std::size_t size() const { return count_; }
  T* data() { return items_.get(); }
  const T* data() const { return items_.get(); }
  T& operator[](std::size_t i) { return items_[i]; }
  const T& operator[](std::size_t i) const { return items_[i]; }
  T* begin() { return items_.get(); }
  T* end() { return items_.get() + count_; }
  const T* begin() const { return items_.get(); }
  const T* end() const { return items_.get() + count_; }

 private:
  std::unique_ptr<T[]> items_;
  std::size_t count_ = 0;
};

// Memory for vector instructions: aligned to a cache line, and not initialized.
class AlignedBytes {
 public:
  static constexpr std::size_t alignment = 64;
  static constexpr std::size_t hugePage = std::size_t(2) << 20;

  bool allocate(std::size_t count) {
    void* memory = nullptr;
    const bool large = count >= 4 * hugePage;
    // Allocates memory even if `count` is 0, so that the address is valid.
    if (posix_memalign(&memory, large ? hugePage : alignment, count == 0 ? alignment : count) != 0)
      return false;
#if defined(MADV_HUGEPAGE)
    // Huge pages are used because the rows of a matrix are often on different pages, and with small pages
    // each row causes a TLB miss. The memory after the last full huge page keeps small pages, so that no more
    // memory is resident than requested.
    if (large) madvise(memory, count / hugePage * hugePage, MADV_HUGEPAGE);
#endif
    bytes_.reset(static_cast<char*>(memory));
    return true;
  }
  char* data() const { return bytes_.get(); }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char, Free> bytes_;
};

}  // namespace forebay
