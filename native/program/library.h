// Support for threads that run until the process ends.
#pragma once

namespace forebay {

// Keeps the addon loaded, because detached threads run its code. Node may unload an addon when its last
// environment ends.
void keepLibraryLoaded();

}  // namespace forebay
