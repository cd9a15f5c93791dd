#include "kernels/bodies.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace forebay {

extern const Body portableBody;
#if defined(__x86_64__)
extern const Body avx2Body;
extern const Body avx512Body;
const Body* const bodies[] = {&portableBody, &avx2Body, &avx512Body, nullptr};
#else
const Body* const bodies[] = {&portableBody, nullptr};
#endif

Choice choose(const char* wanted) {
  Choice choice = {};
  const bool any = wanted == nullptr || *wanted == '\0';
  char names[80] = "";
  for (const Body* const* body = bodies; *body != nullptr; ++body) {
    if (!(*body)->supported()) continue;
    if (any || std::strcmp(wanted, (*body)->name) == 0) choice.body = *body;
    if (*names != '\0') std::strcat(names, ", ");
    std::strcat(names, (*body)->name);
  }
  if (choice.body == nullptr) {
    std::snprintf(choice.error, sizeof choice.error,
                  "FOREBAY_SIMD is '%.40s': this machine can run %s; unset it to take the best", wanted,
                  names);
  }
  return choice;
}

const Choice& chosen() {
  static const Choice choice = choose(std::getenv("FOREBAY_SIMD"));
  return choice;
}

const Kernel* find(const Body& body, Family family, const char* name) {
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    const Kernel& kernel = body.kernels[id];
    if (kernel.family == family && std::strcmp(kernel.name, name) == 0) return &kernel;
  }
  return nullptr;
}

}  // namespace forebay
