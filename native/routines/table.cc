// The routine table.
#include <iterator>

#include "routines/routine.h"

namespace forebay {

extern const RoutineRow gatherRow, takeAlongAxisRow, takeLabelsRow, scatterAddRow, scatterAddAlongAxisRow;
extern const RoutineRow gatherSumRow;
extern const RoutineRow sortRow, argsortRow, topKRow;
extern const RoutineRow cumsumRow, cumprodRow, recurrenceRow, argminRow;
extern const RoutineRow maxPoolRow, avgPoolRow, avgPoolGradientRow, maxPoolValuesRow, maxPoolGradientRow;
extern const RoutineRow convPackRow, convPackGradientRow;
extern const RoutineRow convRow, convInputGradientRow, convWeightGradientRow;

const RoutineRow* const routines[] = {
    &gatherRow,
    &takeAlongAxisRow,
    &scatterAddRow,
    &scatterAddAlongAxisRow,
    &sortRow,
    &argsortRow,
    &topKRow,
    &cumsumRow,
    &argminRow,
    &maxPoolRow,
    &avgPoolRow,
    &avgPoolGradientRow,
    &convPackRow,
    &convPackGradientRow,
    &convRow,
    &convInputGradientRow,
    &convWeightGradientRow,
    &maxPoolValuesRow,
    &maxPoolGradientRow,
    &takeLabelsRow,
    &cumprodRow,
    &recurrenceRow,
    &gatherSumRow,
};
const std::int64_t routineCount = std::size(routines);

}  // namespace forebay
