#include "daemon/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    char name[DYNKV_NAME_MAX + 1];
    enum dynkv_log_level level;
    time_t second; /* the one that lines counts */
    uint32_t lines, suppressed;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .name = "-", .level = DYNKV_LOG_INFO};

static const char *const level_names[] = {"ERROR", "WARNING", "INFO", "DEBUG"};

void dynkvd_log_init(const char *name, enum dynkv_log_level level)
{
    snprintf(logger.name, sizeof logger.name, "%s", name);
    logger.level = level;
}

/* One write a line, so that lines of several processes on one terminal do not mix. */
static void log_write(const struct timespec *now, enum dynkv_log_level level,
                      struct dynkv_slice text)
{
    char line[DYNKVD_LOG_LINE_MAX];
    struct tm utc;
    size_t used;
    int head;

    gmtime_r(&now->tv_sec, &utc);
    used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    head = snprintf(line + used, sizeof line - used, ".%03dZ %s %s ", (int)(now->tv_nsec / 1000000),
                    level_names[level], logger.name);
    used += (size_t)head;
    for (size_t i = 0; i < text.len && used < sizeof line - 1; i++)
        line[used++] = text.data[i] < ' ' || text.data[i] == 0x7f ? '?' : (char)text.data[i];
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0)
        return; /* nowhere to complain */
}

void dynkvd_log_slice(enum dynkv_log_level level, struct dynkv_slice text)
{
    struct timespec now;

    if (level > logger.level)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    pthread_mutex_lock(&logger.lock);
    if (now.tv_sec != logger.second) {
        if (logger.suppressed) {
            char note[64];

            snprintf(note, sizeof note, "%u log lines were left out", logger.suppressed);
            log_write(&now, DYNKV_LOG_WARNING, dynkv_slice_text(note));
        }
        logger.second = now.tv_sec;
        logger.lines = logger.suppressed = 0;
    }
    if (level == DYNKV_LOG_ERROR || logger.lines++ < DYNKVD_LOG_LINES_PER_SECOND)
        log_write(&now, level, text);
    else
        logger.suppressed++;
    pthread_mutex_unlock(&logger.lock);
}

void dynkvd_log(enum dynkv_log_level level, const char *format, ...)
{
    char text[DYNKVD_LOG_LINE_MAX];
    va_list args;

    if (level > logger.level)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dynkvd_log_slice(level, dynkv_slice_text(text));
}
