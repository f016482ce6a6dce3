/*
 * limits.h: every limit that the wire, the store and the clients agree on.
 *
 * Each queue, batch, table and string of dynkv has a maximum, and those that two programs must
 * agree on stand here.  Going over one is an error with a name, never a truncation.  Sizes are in
 * bytes unless the name says otherwise.
 */
#ifndef DYNKV_BASE_LIMITS_H
#define DYNKV_BASE_LIMITS_H

#define DYNKV_KEY_MAX             (64u * 1024u)         /* whole key: partition key and sort key */
#define DYNKV_VALUE_MAX           (16u * 1024u * 1024u) /* one sibling's value */
#define DYNKV_OBJECT_MAX          (32u * 1024u * 1024u) /* all siblings of one key together */
#define DYNKV_REPLY_MAX           (8u * 1024u * 1024u) /* objects of one GET reply; the first goes always */
#define DYNKV_BATCH_MAX           (8u * 1024u * 1024u) /* items of one batch; one big item may go alone */
#define DYNKV_BATCH_ITEMS_MAX     10000u               /* items of one batch */
#define DYNKV_MESSAGE_MAX         (48u * 1024u * 1024u) /* one encoded message, and one peer frame */
#define DYNKV_SIBLINGS_MAX        100u  /* concurrent values a writer may leave on a key */
#define DYNKV_SIBLINGS_HARD_MAX   1000u /* siblings a decoder accepts in one object */
#define DYNKV_ACTORS_MAX          1024u /* entries of one version vector */
#define DYNKV_ACTORS_PUT_MAX      1000u /* and after a put; the rest is for deletes, and for merges */
#define DYNKV_MEMBERS_MAX         1024u /* members of one cluster */
#define DYNKV_PLACES_MAX          4096u /* places of a ring, those that were given up too */
#define DYNKV_CHANGES_MAX         64u   /* joins, leaves and replacements of one staged change */
#define DYNKV_BLOCKERS_MAX        64u   /* reasons told why a change cannot be committed */
#define DYNKV_NEWS_MAX            64u   /* member records, and reports, that one ping carries */
#define DYNKV_NAME_MAX            63u   /* node, zone, keyspace and cluster names */
#define DYNKV_URL_MAX             255u  /* listen and peer addresses */
#define DYNKV_TEXT_MAX            1024u /* an error text that travels */
#define DYNKV_REPLICAS_MAX        7u    /* N of a keyspace, and length of a preference list */
#define DYNKV_PARTITIONS_DEFAULT  1024u /* Q: partitions of the ring */
#define DYNKV_PARTITIONS_MAX      65536u
#define DYNKV_KEYSPACES_MAX       4096u
#define DYNKV_SCAN_ITEMS_MAX      10000u /* entries in one page of a scan */
#define DYNKV_TREE_LEAVES         1024u  /* of a hash tree */
#define DYNKV_TREE_PARTS_MAX      64u    /* trees that one TREE_NODES asks about */
#define DYNKV_DEADLINE_DEFAULT_MS 5000u
#define DYNKV_DEADLINE_MAX_MS     (10u * 60u * 1000u)
#define DYNKV_CLOCK_DRIFT_MAX_MS  60000u /* a clock further ahead than this is refused */

#endif
