/*
 * core_limits.h: limits and times of the core: how many of a thing there are at most, and how long a thing takes.
 *
 * Those that others can see are in base/limits.h.
 */
#ifndef DYNKV_CORE_CORE_LIMITS_H
#define DYNKV_CORE_CORE_LIMITS_H

#define CORE_INDEX_BITS         20u     /* of a token; items and sub-requests are fewer than 2^20 */
#define CORE_OPS_MAX            100000u /* operations in flight; beyond: OVERLOADED */
#define CORE_REPAIRS_MAX        64u   /* repair operations in flight; beyond: dropped and counted */
#define CORE_REPAIR_ITEMS_MAX   256u  /* keys that one scan page hands to repair */
#define CORE_ACCUSERS_MAX       8u    /* kept per member; two are enough to declare it down */
#define CORE_DEFERRED_MAX       1024u /* requests that wait for the first lease */
#define CORE_REMEMBERED_MAX     65536u      /* applied writes kept to recognise repetitions */
#define CORE_REMEMBERED_BYTES   (16u << 20) /* and what their contexts may take */
#define CORE_SCAN_LIMIT_DEFAULT 1000u       /* entries of a page when the asker gives no limit */
#define CORE_SCAN_BYTES_MAX     (2u << 20)  /* of a page, and of one verify answer */
#define CORE_JOIN_INTERVAL_MS   300u        /* a joiner asks again after this */
#define CORE_JOIN_REFUSED_MS    5000u       /* and after a refusal, after this */
#define CORE_HEDGE_MS           100u /* a peer that is silent for so long is joined by the next one */
#define CORE_SYNC_INTERVAL_MS   3000u /* between rounds of anti-entropy, where none is configured */
#define CORE_SYNC_JITTER_MS     1000u /* and up to so much longer */
#define CORE_SYNC_AGAIN_MS      100u  /* after a round that came to a limit */
#define CORE_SYNC_PATIENCE_MS   3000u /* an exchange ends when a step takes longer */
#define CORE_SYNC_SERVE_MS      10000u /* a peer that asks and falls silent keeps others off so long */
#define CORE_SYNC_TRIES         8u     /* members looked at in one tick for one to compare with */
#define CORE_SYNC_ROOTS_MAX     16384u /* roots in one message, and partitions that differ, kept */
#define CORE_SYNC_OBJECTS_MAX   5000u  /* objects and bytes moved in one exchange */
#define CORE_SYNC_BYTES_MAX     (16u << 20)
#define CORE_SYNC_BATCH_ITEMS   256u /* objects and bytes in one message of it */
#define CORE_SYNC_BATCH_BYTES   (1u << 20)
#define CORE_SYNC_PAGE_RECORDS  5000u /* records read at a time to look for keys of leaves */
#define CORE_SYNC_PAGE_BYTES    (2u << 20)
#define CORE_REAP_INTERVAL_MS   1000u /* between looks for tombstones, where none is configured */
#define CORE_REAP_AGAIN_MS      100u /* after a round, or a page without any, while there are more */
#define CORE_REAP_TIMED_PAUSE   60u  /* times that: between looks for what has expired */
#define CORE_REAP_PATIENCE_MS   3000u  /* a round ends when an answer takes longer ... */
#define CORE_REAP_QUIET_MS      10000u /* ... or, where it waits for operations to end, than this */
#define CORE_REAP_QUIET_MAX     64u /* questions of that kind that wait here; beyond: OVERLOADED */
#define CORE_REAP_PLACES        4096u /* trees looked at in one tick */
#define CORE_REAP_PAGE_RECORDS  1000u /* records, and bytes of them, that one round looks at */
#define CORE_REAP_PAGE_BYTES    (1u << 20)
#define CORE_PUT_RESENDS        3u          /* of one message, to a replica that found it STALE */
#define CORE_LINGER_MAX         10000u      /* answered writes that wait for their last roles */
#define CORE_LINGER_BYTES       (64u << 20) /* and what they may hold */
#define CORE_HINTS_MAX          1000000u /* hints a node keeps; each takes 40 bytes of memory, too */
#define CORE_HINTS_BYTES_MAX    (1ull << 30) /* and their bytes in the store */
#define CORE_HINTS_AHEAD        4096u        /* hints and bytes, how far the saved bound is ahead */
#define CORE_HINTS_BYTES_AHEAD  (16u << 20)
#define CORE_HANDOFF_ITEMS      256u         /* of one batch: one is in flight per target at most */
#define CORE_HANDOFF_BYTES      (512u << 10) /* of one batch; one bigger hint goes alone */
#define CORE_HANDOFF_BACKOFF_MS 100u         /* after a batch that was not taken; doubles ... */
#define CORE_HANDOFF_PAUSE_MS   5000u /* ... up to this, also the pause when nothing could be done */
#define CORE_LEASE_COUNTERS     (1u << 20) /* counters a lease covers */
#define CORE_LEASE_CLOCK_MS     10000u /* time a lease covers; far below DYNKV_CLOCK_DRIFT_MAX_MS */
#define CORE_LEASE_AHEAD_MS     500u /* and of a clock that is ahead of the wall clock: some pings */
#define CORE_LEASE_FAR          20u  /* a part of that, where it is far ahead */
#define CORE_RESTART_MS         400u /* how long a start waits to hear that it may go on as before */
#define CORE_RESTART_ASKED      8u   /* members that it asks */

/* Failure detection, and the spreading of the tables. */
#define CORE_PING_INTERVAL_MS   200u /* one member is pinged every so often */
#define CORE_PING_TIMEOUT_MS    200u /* then others are asked to ping it */
#define CORE_PING_INDIRECT_MS   500u /* then it is accused */
#define CORE_PING_NACK_MS       200u /* a helper without an answer says so after this */
#define CORE_PING_HELPERS       3u   /* how many others are asked */
#define CORE_PROBES_MAX         16u  /* own probes in flight; beyond, the next one waits */
#define CORE_RELAYS_MAX         128u /* pings on behalf of others; beyond: not helped, counted */
#define CORE_HEALTH_MAX         7u   /* at worst our times are stretched 8 times, as in Lifeguard */
#define CORE_ASLEEP_MS          150u /* ticks further apart than this: it was us who slept */
#define CORE_SUSPICION_LEAST    3u   /* in intervals, times log10 of the members: suspicion.h */
#define CORE_SUSPICION_GREATEST 6u   /* times the least */
#define CORE_CONFIRMATIONS      3u   /* reports after the first that bring it to the least */
#define CORE_BROADCAST_MEMBERS  8u   /* up to so many, changes are told to all at once */
#define CORE_RUMOR_MULTIPLIER   4u   /* a record goes out so many times log10 of the members */
#define CORE_RUMOR_RECORDS      32u  /* on one ping; at most DYNKV_NEWS_MAX */
#define CORE_RUMOR_BYTES        1200u  /* and so many bytes of them */
#define CORE_GOSSIP_INTERVAL_MS 100u   /* few members: least time between full tables to one */
#define CORE_TABLES_INTERVAL_MS 5000u  /* more: least time between full tables to anybody, ... */
#define CORE_TABLES_QUIET_MS    2000u  /* ... after rumours had this long to settle it, ... */
#define CORE_TABLES_FORCE_MS    30000u /* ... or did not come to rest for this long */
#define CORE_TABLES_PEERS       3u     /* more: a starting node asks so many for their tables */
#define CORE_PROVE_IDLE_MS      250u   /* nothing to prove: looked again after this */
#define CORE_PROVE_AGAIN_MS     20u    /* between exchanges that got somewhere ... */
#define CORE_PROVE_PAUSE_MS     150u   /* ... and after one that did not, at least */
#define CORE_PROVE_COUNT_MS     50u    /* between counts of what is not proved */
#define CORE_DROP_INTERVAL_MS   250u   /* between looks for what may be dropped */
#define CORE_STAGE_SETTLE_MS    250u   /* between looks at who holds a place */
#define CORE_STAGE_TOLD         128u /* members told at once of a step in a change; more hear by gossip */
#define CORE_UNSURE_HOLD_MS     500u /* after its start clients' requests wait for that, no longer */
#define CORE_UNSURE_ASK_MS      50u /* a node that may have forgotten asks so often what it missed */
#define CORE_UNSURE_MET_MS \
    10000u /* so long it waits for one that it hears, and that tells nothing */

#endif
