// The reference backend: the interpreter over host memory. --precision=f64 needs nothing here: the
// plan's types say what is computed.
#include "backends/reference/plan_runner.h"

TRAMA_BACKEND("reference", trama::reference::InterpreterDevice<trama::reference::PlanRunner>::Open)
