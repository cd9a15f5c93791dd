#include "binding/call.h"

namespace forebay {

bool Call::atLeast(std::size_t count) {
  return this->count() >= count ||
         fault_.argument("%s: received %zu arguments, expected %zu", name_, this->count(), count);
}

bool Call::body(const Body*& body) {
  body = chosen().body;
  return body != nullptr || fault_.argument("%s", chosen().error);
}

bool Call::number(std::size_t index, const char* what, double& value) {
  if (napi_get_value_double(info_.Env(), info_[index], &value) == napi_ok) return true;
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

bool Call::array(std::size_t index, const char* what, Array& array) {
  napi_typedarray_type type = napi_uint8_array;
  const napi_status status = napi_get_typedarray_info(info_.Env(), info_[index], &type, &array.length,
                                                      &array.data, nullptr, nullptr);
  if (status == napi_ok) {
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
      default:
        break;
    }
  }
  return fault_.argument("%s: argument %zu (%s) is not a Float32Array, Float64Array or Int32Array", name_,
                         index, what);
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

void Call::finish() {
  if (fault_.kind() != Fault::Kind::none) throwFault(info_.Env(), fault_);
}

void throwFault(napi_env env, const Fault& fault) {
  const char* code =
      fault.kind() == Fault::Kind::memory ? "FOREBAY_NATIVE_MEMORY" : "FOREBAY_NATIVE_ARGUMENT";
  napi_throw_error(env, code, fault.text());
}

}  // namespace forebay
