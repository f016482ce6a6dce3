/*
 * rumor.c: records that changed lately travel on pings and their answers.
 *
 * A record that changed is sent CORE_RUMOR_MULTIPLIER * log10(members) times, to whoever happens to be
 * pinged or answered; each receiver to which it is new does the same.  That reaches everybody with
 * overwhelming probability, at a load per message and member that does not grow with the cluster; what
 * it misses the tables' digests find (gossip.c).  The least often sent records go first, so that fresh
 * news is not kept back by old.
 *
 * Where only incarnation or accusers changed a report is enough, a quarter of a record's size.
 *
 * After Das, Gupta, Motivala, "SWIM", DSN 2002, 4.1; that a suspect is told first is Lifeguard's "buddy
 * system" (Dadgar, Phillips, Currey, DSN 2018, IV-C).
 */
#include <stdlib.h>

#include "base/assert.h"
#include "core/node_impl.h"

#define RUMOR_RECORD_BYTES  60u /* of a whole record, without strings and accusers, about */
#define RUMOR_REPORT_BYTES  20u
#define RUMOR_ACCUSER_BYTES 8u

static uint8_t rumor_times(const struct dynkv_node *node)
{
    uint32_t digits = 1;

    for (uint32_t rest = node->member_count; rest >= 10; rest /= 10)
        digits++;
    return (uint8_t)(CORE_RUMOR_MULTIPLIER * digits);
}

void rumor_add(struct dynkv_node *node, struct member *member, bool whole)
{
    if (!node->effects)
        return; /* a node that is being made has no news */
    if (!member->rumor_left) {
        if (node->rumor_count == node->rumor_cap) {
            node->rumor_cap = node->rumor_cap ? node->rumor_cap * 2 : 16;
            node->rumors = dynkv_realloc(node->rumors, node->rumor_cap * sizeof(struct member *));
        }
        node->rumors[node->rumor_count++] = member;
        member->rumor_whole = false;
    }
    member->rumor_left = rumor_times(node);
    member->rumor_whole |= whole;
}

void rumor_forget_all(struct dynkv_node *node)
{
    for (uint32_t i = 0; i < node->rumor_count; i++)
        node->rumors[i]->rumor_left = 0;
    node->rumor_count = 0;
}

void rumor_fini(struct dynkv_node *node)
{
    free(node->rumors);
}

static void rumor_put(struct rumors *rumors, const struct member *member)
{
    if (member->rumor_whole)
        rumors->news[rumors->news_count++] = member->info;
    else
        rumors->reports[rumors->report_count++] = (struct dynkv_report){
            .id = member->info.id,
            .incarnation = member->info.incarnation,
            .facts = member->facts,
            .accusers = member->info.accusers,
            .accuser_count = member->info.accuser_count,
        };
}

static size_t rumor_bytes(const struct member *member)
{
    const struct dynkv_member *info = &member->info;
    size_t accusers = info->accuser_count * RUMOR_ACCUSER_BYTES;

    return member->rumor_whole ? RUMOR_RECORD_BYTES + accusers + info->name.len + info->zone.len +
                                     info->client_url.len + info->peer_url.len
                               : RUMOR_REPORT_BYTES + accusers;
}

/* Adds the rumours that have so many times left to be sent, while there is room; false: full. */
static bool rumor_put_level(struct dynkv_node *node, struct rumors *rumors, size_t *room,
                            uint32_t level)
{
    for (uint32_t i = 0; i < node->rumor_count; i++) {
        struct member *member = node->rumors[i];

        if (rumors->news_count + rumors->report_count == CORE_RUMOR_RECORDS ||
            *room < RUMOR_REPORT_BYTES)
            return false;
        if (member->rumor_left != level || member->rumor_message == node->rumor_messages ||
            rumor_bytes(member) > *room)
            continue;
        rumor_put(rumors, member);
        *room -= rumor_bytes(member);
        member->rumor_message = node->rumor_messages;
        member->rumor_left--;
    }
    return true;
}

/* Those that were sent often enough are rumours no more. */
static void rumor_drop_old(struct dynkv_node *node)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < node->rumor_count; i++)
        if (node->rumors[i]->rumor_left)
            node->rumors[kept++] = node->rumors[i];
    node->rumor_count = kept;
}

struct rumors rumor_fill(struct dynkv_node *node, struct member *to)
{
    struct rumors rumors = {
        .news = dynkv_arena_calloc(&node->arena, CORE_RUMOR_RECORDS, sizeof *rumors.news),
        .reports = dynkv_arena_calloc(&node->arena, CORE_RUMOR_RECORDS, sizeof *rumors.reports),
    };
    size_t room = CORE_RUMOR_BYTES;

    _Static_assert(CORE_RUMOR_RECORDS <= DYNKV_NEWS_MAX, "a ping must be decodable");
    node->rumor_messages++;
    if (to->info.accuser_count && !node->plain_swim) {
        rumor_put(&rumors, to);
        to->rumor_message = node->rumor_messages;
    }
    if (to->down)
        return rumors; /* not wasted on one that hardly hears it: it will ask for the tables */
    for (uint32_t level = rumor_times(node); level > 0; level--)
        if (!rumor_put_level(node, &rumors, &room, level))
            break;
    rumor_drop_old(node);
    return rumors;
}
