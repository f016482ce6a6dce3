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

/* live_change.c */
void a_node_joins_under_load(void);
void a_node_leaves_under_load(void);
void a_wiped_node_is_replaced_by_its_empty_self(void);
void a_replaced_node_that_comes_back_elsewhere_is_told(void);
void a_joiner_killed_amid_its_transfer_goes_on(void);
void an_old_owner_killed_amid_a_join_comes_back(void);
void a_join_is_cancelled_amid_its_transfer(void);

extern const struct live_test live_tests[];

/* live_restart.c */
void a_store_that_was_killed_gets_a_new_actor(void);
void an_old_copy_of_a_store_gets_a_new_actor(void);

/* live_sync.c */
void a_killed_node_catches_up_without_any_read(void);

#endif
