#include "binding/call.h"

#include <cmath>
#include <new>

namespace forebay {

Call::Call(napi_env env, napi_callback_info info, const char* name) : env_(env), name_(name) {
  if (napi_get_cb_info(env, info, &count_, inPlace_, nullptr, nullptr) == napi_ok) {
    if (count_ <= mostInPlace) return;
    more_.reset(new (std::nothrow) napi_value[count_]);
    arguments_ = more_.get();
    if (more_ && napi_get_cb_info(env, info, &count_, more_.get(), nullptr, nullptr) == napi_ok) return;
  }
  count_ = 0;
  fault_.memory("%s: there is no memory for its arguments", name);
}

bool Call::atLeast(std::size_t count) {
  if (fault_.kind() != Fault::Kind::none) return false;
  return this->count() >= count ||
         fault_.argument("%s: received %zu arguments, expected %zu", name_, this->count(), count);
}

bool Call::body(const Body*& body) {
  body = chosen().body;
  return body != nullptr || fault_.argument("%s", chosen().error);
}

bool Call::number(std::size_t index, const char* what, double& value) {
  if (napi_get_value_double(env_, (*this)[index], &value) == napi_ok) return true;
  return fault_.argument("%s: argument %zu (%s) is not a number", name_, index, what);
}

bool Call::kernel(std::size_t index, const Kernel*& kernel) {
  const Body* chosenBody = nullptr;
  double id = 0;
  if (!body(chosenBody) || !number(index, "the kernel's id", id)) return false;
  const auto count = static_cast<double>(chosenBody->kernelCount);
  if (!(id >= 0 && id < count) || id != static_cast<double>(static_cast<std::size_t>(id))) {
    return fault_.argument("%s: kernel id %.17g, expected an integer from 0 to %zu", name_, id,
                           chosenBody->kernelCount - 1);
  }
  kernel = &chosenBody->kernels[static_cast<std::size_t>(id)];
  return true;
}

namespace {

// Reads the typed array `value`. Also reads its buffer if `buffer` is not null. Returns false if the type of
// the array is not supported.
bool readArray(napi_env env, napi_value value, Array& array, napi_value* buffer) {
  napi_typedarray_type type = napi_uint8_array;
  if (napi_get_typedarray_info(env, value, &type, &array.length, &array.data, buffer, nullptr) != napi_ok) {
    return false;
  }
  switch (type) {
    case napi_float32_array:
      array.dtype = DType::float32;
      return true;
    case napi_float64_array:
      array.dtype = DType::float64;
      return true;
    case napi_int32_array:
      array.dtype = DType::int32;
      return true;
    case napi_uint8_array:  // also the memory of bools
      array.dtype = DType::uint8;
      return true;
    default:
      return false;
  }
}

}  // namespace

bool Call::array(std::size_t index, const char* what, Array& array) {
  if (readArray(env_, (*this)[index], array, nullptr)) return true;
  return fault_.argument(
      "%s: argument %zu (%s) is not a Float32Array, Float64Array, Int32Array or Uint8Array", name_, index,
      what);
}

bool Call::list(std::size_t index, const char* what, std::uint32_t& count) {
  if (napi_get_array_length(env_, (*this)[index], &count) == napi_ok) return true;
  return fault_.argument("%s: argument %zu (%s) is not an array", name_, index, what);
}

bool Call::elements(std::size_t index, std::uint32_t count, napi_value* values) {
  for (std::uint32_t position = 0; position < count; ++position) {
    // This fails if a getter throws. The exception of the getter stays pending for the caller.
    if (napi_get_element(env_, (*this)[index], position, &values[position]) != napi_ok) {
      return fault_.argument("%s: argument %zu has no element %u", name_, index, position);
    }
  }
  return true;
}

bool Call::typedArray(napi_value value, const char* what, std::size_t index, bool shared, Array& array) {
  const napi_env env = env_;
  napi_value buffer = nullptr;
  if (!readArray(env, value, array, shared ? &buffer : nullptr)) {
    return fault_.argument("%s: %s %zu is not a Float32Array, Float64Array, Int32Array or Uint8Array", name_,
                           what, index);
  }
  bool detachable = false;
  if (shared && (napi_is_arraybuffer(env, buffer, &detachable) != napi_ok || detachable)) {
    return fault_.argument("%s: %s %zu is not on a SharedArrayBuffer", name_, what, index);
  }
  return true;
}

bool Call::flag(std::size_t index, const char* what, bool& value) {
  if (napi_get_value_bool(env_, (*this)[index], &value) == napi_ok) return true;
  return fault_.argument("%s: argument %zu (%s) is not a boolean", name_, index, what);
}

bool Call::integer(std::size_t index, const char* what, double low, double& value) {
  if (!number(index, what, value)) return false;
  if (value >= low && value <= 9007199254740991.0 && value == std::floor(value)) return true;
  return fault_.argument("%s: argument %zu (%s) is %.17g, expected an integer from %.0f to 2^53 - 1", name_,
                         index, what, value, low);
}

bool Call::handle(std::size_t index, const char* what, Handle::Kind kind, Handle*& found) {
  void* data = nullptr;
  if (napi_get_value_external(env_, (*this)[index], &data) == napi_ok && data != nullptr) {
    found = static_cast<Handle*>(data);
    if (found->kind == kind) return true;
  }
  return fault_.argument("%s: argument %zu is not %s", name_, index, what);
}

bool Call::keep(const napi_value* values, std::size_t count, Reference& kept) {
  napi_value list = nullptr;
  bool fine = napi_create_array(env_, &list) == napi_ok;
  for (std::size_t i = 0; i < count && fine; ++i) {
    fine = napi_set_element(env_, list, static_cast<std::uint32_t>(i), values[i]) == napi_ok;
  }
  return (fine && kept.keep(env_, list)) || fault_.memory("%s: there is no memory left", name_);
}

napi_value Call::external(Handle* handle) {
  napi_value value = nullptr;
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<Handle*>(data); };
  if (handle != nullptr && napi_create_external(env_, handle, finalize, nullptr, &value) == napi_ok) {
    return value;
  }
  delete handle;
  fault_.memory("%s: there is no memory left", name_);
  return nullptr;
}

bool Call::geometry(std::size_t index, const double*& numbers, std::size_t& length) {
  Array list;
  if (!array(index, "the geometry", list)) return false;
  if (list.dtype != DType::float64) {
    return fault_.argument("%s: argument %zu (the geometry) is not a Float64Array", name_, index);
  }
  numbers = static_cast<const double*>(list.data);
  length = list.length;
  return true;
}

bool Call::isNull(std::size_t index) const {
  napi_valuetype type = napi_undefined;
  return napi_typeof(env_, (*this)[index], &type) == napi_ok && type == napi_null;
}

napi_value Call::finish(napi_value result) {
  if (fault_.kind() == Fault::Kind::none) return result;
  bool pending = false;
  if (napi_is_exception_pending(env_, &pending) != napi_ok || pending) return nullptr;
  const bool memory = fault_.kind() == Fault::Kind::memory;
  napi_throw_error(env_, memory ? "FOREBAY_NATIVE_MEMORY" : "FOREBAY_NATIVE_ARGUMENT", fault_.text());
  return nullptr;
}

napi_value Call::finish(double result) {
  napi_value number = nullptr;
  napi_create_double(env_, result, &number);
  return finish(number);
}

}  // namespace forebay
