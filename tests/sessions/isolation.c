#include "tests/sessions/sessions.h"
const struct session_test isolation_tests[] = {{0, 0}}, ddl_tests[] = {{0, 0}};
