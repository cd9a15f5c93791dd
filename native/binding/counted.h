// Reference-counted objects. All owners of an object are on one thread, the thread of the environment that
// created it.
#pragma once

#include <utility>

namespace forebay {

class Counted {
 public:
  Counted() = default;
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 protected:
  virtual ~Counted() = default;

 private:
  template <class T>
  friend class Kept;
  int owners_ = 0;
};

// An owning pointer, or null. std::shared_ptr is not used, because it throws if its allocation fails.
template <class T>
class Kept {
 public:
  Kept() = default;
  explicit Kept(T* thing) : thing_(thing) {
    if (thing_) ++thing_->Counted::owners_;
  }
  Kept(const Kept& other) : Kept(other.thing_) {}
  Kept(Kept&& other) noexcept : thing_(std::exchange(other.thing_, nullptr)) {}
  Kept& operator=(Kept other) noexcept {
    std::swap(thing_, other.thing_);
    return *this;
  }
  ~Kept() {
    Counted* const thing = thing_;
    if (thing && --thing->owners_ == 0) delete thing;
  }

  T* get() const { return thing_; }
  T* operator->() const { return thing_; }
  T& operator*() const { return *thing_; }
  explicit operator bool() const { return thing_ != nullptr; }

 private:
  T* thing_ = nullptr;
};

}  // namespace forebay
