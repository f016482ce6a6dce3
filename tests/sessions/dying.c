#include "tests/sessions/sessions.h"
const struct session_test dying_tests[] = {{0,0}}, isolation_tests[] = {{0,0}}, ddl_tests[] = {{0,0}};
