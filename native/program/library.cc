#include "program/library.h"

#include <dlfcn.h>

namespace forebay {

void keepLibraryLoaded() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&keepLibraryLoaded), &info) != 0 && info.dli_fname != nullptr) {
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
  }
}

}  // namespace forebay
