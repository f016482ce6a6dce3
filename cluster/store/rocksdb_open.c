/*
 * rocksdb_open.c: the rocksdb engine's options, which folders it opens, and closing.
 *
 * RocksDB makes a store of whatever folder it is given, and removes the files there that it does not
 * know.  So a folder is looked at first: one that lost its CURRENT file, or that belongs to another
 * program, is refused and left as it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/rocksdb_impl.h"

/* For a small machine; what --cache-size would be is in the configuration. */
#define ROCKS_CACHE_DEFAULT   ((size_t)64 << 20)
#define ROCKS_WRITE_BUFFER    ((size_t)32 << 20)
#define ROCKS_BYTES_PER_SYNC  ((uint64_t)1 << 20)
#define ROCKS_BLOOM_BITS      10
#define ROCKS_MEMTABLE_BLOOM  0.05 /* of the write buffer */
#define ROCKS_CACHE_ONLY      1    /* kBlockCacheTier, which c.h has no name for */
#define ROCKS_BACKGROUND_JOBS 2
#define ROCKS_MAX_OPEN_FILES  512
/*
 * Logs are kept for the family with the oldest unflushed write, and meta is written seldom: this bounds
 * what they take, and what a start has to read again.
 */
#define ROCKS_LOGS_MAX        ((uint64_t)128 << 20)
#define ROCKS_INFO_LOG_FILES  1u

static const char *const family_names[ROCKS_FAMILIES] = {"default", "hints", "meta"};

/* ---- options ---- */

static void set_table_options(rocksdb_options_t *options, uint64_t cache_bytes)
{
    rocksdb_cache_t *cache =
        rocksdb_cache_create_lru(cache_bytes ? (size_t)cache_bytes : ROCKS_CACHE_DEFAULT);
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(ROCKS_BLOOM_BITS));
    /* Indexes and filters live in the cache, or memory would grow with the store. */
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_cache_destroy(cache); /* the options share it */
}

/*
 * RocksDB's own log stays empty: on a full disk the second line that fails ends the process in a build
 * with assertions (Debian's; writable_file_writer.h, since 7.6).  Errors reach us by the calls that fail.
 * A level above all others did that until RocksDB wrote its options down as text, which has no word for
 * such a level: newer ones then do not open, but have loggers that call back (the Makefile looks).
 */
#ifdef DYNKV_ROCKSDB_HAS_CALLBACK_LOGGER
#define ROCKS_INFO_LOG_LEVEL 5 /* the highest */

static void drop_line(void *unused, unsigned level, char *text, size_t size)
{
    (void)unused, (void)level, (void)text, (void)size;
}

static void silence_info_log(rocksdb_options_t *options)
{
    rocksdb_logger_t *logger =
        rocksdb_logger_create_callback_logger(ROCKS_INFO_LOG_LEVEL, drop_line, NULL);

    rocksdb_options_set_info_log(options, logger);
    rocksdb_logger_destroy(logger); /* the options share it */
}
#else
#define ROCKS_INFO_LOG_LEVEL 6 /* above all */

static void silence_info_log(rocksdb_options_t *options)
{
    rocksdb_options_set_info_log_level(options, ROCKS_INFO_LOG_LEVEL);
}
#endif

static void make_options(struct rocks *rocks, const struct dynkv_engine_config *config)
{
    rocksdb_options_t *options = rocks->options = rocksdb_options_create();

    set_table_options(options, config->cache_bytes);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_create_missing_column_families(options, 1);
    rocksdb_options_set_write_buffer_size(options, ROCKS_WRITE_BUFFER);
    /* Most keys of a bulk load are new: a bloom filter says so without a walk through the memtable. */
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, ROCKS_MEMTABLE_BLOOM);
    rocksdb_options_set_memtable_whole_key_filtering(options, 1);
    rocksdb_options_set_max_background_jobs(options, ROCKS_BACKGROUND_JOBS);
    rocksdb_options_set_bytes_per_sync(options, ROCKS_BYTES_PER_SYNC);
    rocksdb_options_set_max_total_wal_size(options, ROCKS_LOGS_MAX);
    rocksdb_options_set_max_open_files(options, ROCKS_MAX_OPEN_FILES);
    rocksdb_options_set_keep_log_file_num(options, ROCKS_INFO_LOG_FILES);
    silence_info_log(options);
    rocksdb_options_set_stats_dump_period_sec(options, 0); /* it would go to that log */
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocks->read = rocksdb_readoptions_create();
    rocks->read_cached = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(rocks->read_cached, ROCKS_CACHE_ONLY);
    rocks->read_range = rocksdb_readoptions_create();
    rocks->write = rocksdb_writeoptions_create();
    rocks->write_synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(rocks->write_synced, 1);
}

/* ---- which folder ---- */

/* False, and why, if path is no folder and cannot become one. */
static bool make_folder(const char *path, char *error_text, size_t size)
{
    struct dynkv_buf above = {0};
    struct stat found;
    int parent;

    if (stat(path, &found) == 0) {
        if (S_ISDIR(found.st_mode))
            return true;
        snprintf(error_text, size,
                 "cannot use %s as the data folder: it is not a folder; choose another --data",
                 path);
        return false;
    }
    if (mkdir(path, 0700) != 0) {
        snprintf(error_text, size,
                 "cannot create the data folder %s: %s; create it for this user, or choose another "
                 "--data",
                 path, strerror(errno));
        return false;
    }
    /* A folder that a power cut takes away again would take synced writes with it. */
    dynkv_put_raw(&above, dynkv_slice_text(path));
    dynkv_put_raw(&above, dynkv_slice("/..", sizeof "/.."));
    parent = open((const char *)above.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent >= 0) {
        fsync(parent); /* where the file system cannot, it needs not */
        close(parent);
    }
    dynkv_buf_fini(&above);
    return true;
}

/* What of a RocksDB the folder holds. */
struct folder_content {
    bool current; /* the file that says which of the others are valid */
    bool tables;
};

static bool look_into_folder(const char *path, struct folder_content *out, char *error_text,
                             size_t size)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    if (!folder) {
        snprintf(error_text, size, "cannot read the data folder %s: %s; %s", path, strerror(errno),
                 rocks_advice(strerror(errno)));
        return false;
    }
    *out = (struct folder_content){0};
    while ((entry = readdir(folder))) {
        const char *ending = strrchr(entry->d_name, '.');

        out->current = out->current || strcmp(entry->d_name, "CURRENT") == 0;
        out->tables = out->tables || (ending && strcmp(ending, ".sst") == 0);
    }
    closedir(folder);
    return true;
}

/* Whether the family named default is empty; a text if it cannot be read. */
static bool default_is_empty(const struct rocks *rocks, char **text)
{
    const rocksdb_options_t *options = rocks->options;
    rocksdb_column_family_handle_t *family;
    rocksdb_iterator_t *iterator;
    bool empty;
    rocksdb_t *db = rocksdb_open_for_read_only_column_families(
        rocks->options, rocks->path, 1, family_names, &options, &family, 0, text);

    if (*text)
        return false;
    iterator = rocksdb_create_iterator_cf(db, rocks->read, family);
    rocksdb_iter_seek_to_first(iterator);
    empty = !rocksdb_iter_valid(iterator);
    rocksdb_iter_get_error(iterator, text);
    rocksdb_iter_destroy(iterator);
    rocksdb_column_family_handle_destroy(family);
    rocksdb_close(db);
    return empty && !*text;
}

/* The first column family that is not one of ours, or NULL; counts ours. */
static const char *find_foreign(char **names, size_t count, size_t *ours)
{
    *ours = 0;
    for (size_t i = 0; i < count; i++) {
        size_t before = *ours;

        for (int family = 0; family < ROCKS_FAMILIES; family++)
            *ours += strcmp(names[i], family_names[family]) == 0;
        if (*ours == before)
            return names[i];
    }
    return NULL;
}

static bool refuse_foreign(const struct rocks *rocks, const char *family, char *error_text,
                           size_t size)
{
    snprintf(
        error_text, size,
        "the data folder %s holds the RocksDB of another program, or of a later dynkvd (column "
        "family \"%s\"); choose another --data, or use the program that made it",
        rocks->path, family);
    return false;
}

static bool refuse_unreadable(const struct rocks *rocks, char *text, char *error_text, size_t size)
{
    snprintf(error_text, size, "cannot open the data folder %s: %s; %s", rocks->path, text,
             rocks_advice(text));
    rocksdb_free(text);
    return false;
}

/*
 * False, and why, if the RocksDB there is not ours.  One with fewer families than ours may be a store
 * whose making was cut short; then it is empty.
 */
static bool check_owner(const struct rocks *rocks, char *error_text, size_t size)
{
    size_t count = 0, ours;
    const char *foreign;
    char *text = NULL,
         **names = rocksdb_list_column_families(rocks->options, rocks->path, &count, &text);
    bool is_ours = true;

    foreign = find_foreign(names, count, &ours);
    if (text)
        is_ours = refuse_unreadable(rocks, text, error_text, size);
    else if (foreign)
        is_ours = refuse_foreign(rocks, foreign, error_text, size);
    else if (ours < ROCKS_FAMILIES && !default_is_empty(rocks, &text))
        is_ours = text ? refuse_unreadable(rocks, text, error_text, size)
                       : refuse_foreign(rocks, family_names[ROCKS_RECORDS], error_text, size);
    rocksdb_list_column_families_destroy(names, count);
    return is_ours;
}

static bool check_folder(const struct rocks *rocks, char *error_text, size_t size)
{
    struct folder_content content;

    if (!make_folder(rocks->path, error_text, size) ||
        !look_into_folder(rocks->path, &content, error_text, size))
        return false;
    if (content.current)
        return check_owner(rocks, error_text, size);
    if (content.tables) {
        snprintf(
            error_text, size,
            "the data folder %s holds data but its file CURRENT is missing; restore the folder "
            "from a backup, or start with an empty one",
            rocks->path);
        return false;
    }
    return true;
}

/* ---- opening and closing ---- */

static void open_db(struct rocks *rocks, char **text)
{
    const rocksdb_options_t *options[ROCKS_FAMILIES];

    for (int i = 0; i < ROCKS_FAMILIES; i++)
        options[i] = rocks->options;
    rocks->db = rocksdb_open_column_families(rocks->options, rocks->path, ROCKS_FAMILIES,
                                             family_names, options, rocks->families, text);
}

struct dynkv_engine *rocks_open(const struct dynkv_engine_config *config, char *error_text,
                                size_t size)
{
    struct rocks *rocks;
    char *text = NULL;

    if (!config->path || !config->path[0]) {
        snprintf(error_text, size, "the rocksdb engine needs a data folder (--data DIR)");
        return NULL;
    }
    rocks = dynkv_calloc(1, sizeof *rocks);
    rocks->path = dynkv_strdup(config->path);
    make_options(rocks, config);
    if (check_folder(rocks, error_text, size)) {
        open_db(rocks, &text);
        if (text && strstr(text, "not linked")) { /* a RocksDB that was built without LZ4 */
            rocksdb_free(text);
            text = NULL;
            rocksdb_options_set_compression(rocks->options, rocksdb_no_compression);
            open_db(rocks, &text);
        }
        if (!text)
            return &rocks->base;
        refuse_unreadable(rocks, text, error_text, size);
        rocks->db = NULL;
    }
    rocks_close(&rocks->base);
    return NULL;
}

static void close_db(struct rocks *rocks)
{
    char *text = NULL;

    if (!rocks->log_failed)
        rocksdb_flush_wal(rocks->db, 1, &text);
    rocksdb_free(text); /* a last sync that fails has nobody to tell; the log replays or not */
    for (int i = 0; i < ROCKS_FAMILIES; i++)
        rocksdb_column_family_handle_destroy(rocks->families[i]);
    rocksdb_close(rocks->db);
}

void rocks_close(struct dynkv_engine *engine)
{
    struct rocks *rocks = (struct rocks *)engine;

    if (rocks->db)
        close_db(rocks);
    rocksdb_writeoptions_destroy(rocks->write_synced);
    rocksdb_writeoptions_destroy(rocks->write);
    rocksdb_readoptions_destroy(rocks->read_range);
    rocksdb_readoptions_destroy(rocks->read_cached);
    rocksdb_readoptions_destroy(rocks->read);
    rocksdb_options_destroy(rocks->options);
    dynkv_arena_fini(&rocks->scratch);
    free(rocks->path);
    free(rocks);
}
