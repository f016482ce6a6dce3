/* live_tests.h: the list of live tests; the last one has no sentence. */
#ifndef DYNKV_TESTS_LIVE_TESTS_H
#define DYNKV_TESTS_LIVE_TESTS_H

struct live_test {
    const char *sentence;
    void (*run)(void);
};

/* live_hints.c */
void hints_come_home_without_a_read(void);
void deletes_leave_nothing_behind(void);

extern const struct live_test live_tests[];

/* live_sync.c */
void a_killed_node_catches_up_without_any_read(void);

#endif
