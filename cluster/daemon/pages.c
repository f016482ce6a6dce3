#include "daemon/pages.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void print(struct dynkv_buf *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Only numbers and fixed texts go through here: at most 512 bytes. */
static void print(struct dynkv_buf *out, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dynkv_put_raw(out, dynkv_slice_text(text));
}

/* Names and addresses come from other nodes: nothing in them may end a string or open a tag. */
static void print_json_string(struct dynkv_buf *out, struct dynkv_slice text)
{
    dynkv_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c == '"' || c == '\\')
            print(out, "\\%c", c);
        else if (c < ' ' || c >= 0x7f)
            print(out, "\\u%04x", c);
        else
            dynkv_put_u8(out, c);
    }
    dynkv_put_u8(out, '"');
}

static void print_html(struct dynkv_buf *out, struct dynkv_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c == '<' || c == '>' || c == '&' || c == '"' || c < ' ' || c >= 0x7f)
            print(out, "&#%u;", c);
        else
            dynkv_put_u8(out, c);
    }
}

static bool is_down(const struct dynkv_status_reply *status, uint64_t id)
{
    for (uint32_t i = 0; i < status->down_count; i++)
        if (status->down[i].id == id)
            return true;
    return false;
}

static const char *member_state(const struct dynkv_status_reply *status,
                                const struct dynkv_member *member)
{
    if (member->left)
        return "left";
    if (member->excluded)
        return "excluded";
    return is_down(status, member->id) ? "down" : "up";
}

static const char *member_role(const struct dynkv_status_reply *status,
                               const struct dynkv_member *member)
{
    for (uint32_t i = 0; i < status->leaving_count; i++)
        if (status->leaving[i].id == member->id)
            return "leaving";
    return member->left ? "-" : member->joined ? "member" : "candidate";
}

static const char *change_word(const struct dynkv_status_reply *status)
{
    static const char *const words[] = {
        [DYNKV_CHANGE_NONE] = "none",
        [DYNKV_CHANGE_STAGED] = "staged",
        [DYNKV_CHANGE_COMMITTING] = "committing",
        [DYNKV_CHANGE_MOVING] = "moving",
        [DYNKV_CHANGE_SWITCHED] = "switched",
        [DYNKV_CHANGE_CANCELLING] = "cancelling",
        [DYNKV_CHANGE_FINISHED] = "finished",
    };

    return words[status->phase];
}

/* ---- /status ---- */

static void json_field(struct dynkv_buf *out, const char *name, struct dynkv_slice value)
{
    print(out, "\"%s\":", name);
    print_json_string(out, value);
    dynkv_put_u8(out, ',');
}

static void render_json(const struct dynkv_status_reply *status, struct dynkvd_metrics *metrics,
                        struct dynkv_buf *out)
{
    print(out, "{\"node_id\":\"%016" PRIx64 "\",", status->node_id);
    json_field(out, "name", status->node_name);
    print(out, "\"cluster_id\":\"%016" PRIx64 "\",", status->cluster_id);
    json_field(out, "storage", status->storage);
    print(out,
          "\"in_service\":%s,\"uptime_ms\":%" PRIu64 ",\"ring_version\":\"%016" PRIx64
          "\",\"partitions\":%u,\"epoch\":%" PRIu64 ",\"change\":\"%s\",\"members\":[",
          dynkvd_metric_get(&metrics->out_of_service) ? "false" : "true", status->uptime_ms,
          status->ring_version, status->partitions, status->epoch, change_word(status));
    for (uint32_t i = 0; i < status->member_count; i++) {
        const struct dynkv_member *member = &status->members[i];

        print(out, "%s{\"id\":\"%016" PRIx64 "\",", i ? "," : "", member->id);
        json_field(out, "name", member->name);
        json_field(out, "zone", member->zone);
        json_field(out, "client_url", member->client_url);
        json_field(out, "peer_url", member->peer_url);
        print(out, "\"weight\":%u,\"incarnation\":%" PRIu64 ",\"state\":\"%s\",\"role\":\"%s\"}",
              member->weight, member->incarnation, member_state(status, member),
              member_role(status, member));
    }
    print(out, "],\"counters\":{");
    for (uint32_t i = 0; i < status->counter_count; i++) {
        dynkv_put_raw(out, dynkv_slice_text(i ? "," : ""));
        print_json_string(out, status->counters[i].name);
        print(out, ":%" PRIu64, status->counters[i].value);
    }
    print(out, "},\"daemon\":{");
#define JSON_METRIC(name, kind, help) \
    print(out, "\"" #name "\":%" PRIu64 ",", dynkvd_metric_get(&metrics->name));
    DYNKVD_METRICS(JSON_METRIC)
#undef JSON_METRIC
    out->data[out->len - 1] = '}'; /* in the place of the last comma */
    print(out, "}\n");
}

/* ---- /metrics ---- */

static void metric_line(struct dynkv_buf *out, struct dynkv_slice metric, const char *kind,
                        const char *help, struct dynkv_slice node, uint64_t value)
{
    print(out, "# HELP dynkv_%.*s %s\n# TYPE dynkv_%.*s %s\ndynkv_%.*s{node=", (int)metric.len,
          (const char *)metric.data, help, (int)metric.len, (const char *)metric.data, kind,
          (int)metric.len, (const char *)metric.data);
    print_json_string(out, node);
    print(out, "} %" PRIu64 "\n", value);
}

static void render_metrics(const struct dynkv_status_reply *status, struct dynkvd_metrics *metrics,
                           struct dynkv_buf *out)
{
    struct dynkv_slice node = status->node_name;
    uint64_t members = 0;

    for (uint32_t i = 0; i < status->member_count; i++)
        members += status->members[i].left == 0;
    metric_line(out, dynkv_slice_text("uptime_ms"), "gauge", "milliseconds since the start", node,
                status->uptime_ms);
    metric_line(out, dynkv_slice_text("members"), "gauge", "members of the cluster", node, members);
    metric_line(out, dynkv_slice_text("members_down"), "gauge", "members declared down", node,
                status->down_count);
    metric_line(out, dynkv_slice_text("partitions"), "gauge", "partitions of the ring", node,
                status->partitions);
    metric_line(out, dynkv_slice_text("ring_epoch"), "gauge",
                "changes of the membership that the ring has been through", node, status->epoch);
    metric_line(out, dynkv_slice_text("change_phase"), "gauge",
                "of the change of the membership: 0 none, 1 staged, 2 committing, 3 moving, "
                "4 switched, 5 cancelling",
                node, status->phase);
    for (uint32_t i = 0; i < status->counter_count; i++)
        metric_line(out, status->counters[i].name, "untyped", "of the node's core", node,
                    status->counters[i].value);
#define METRIC_LINE(name, kind, help)                                     \
    metric_line(out, dynkv_slice_text("daemon_" #name), kind, help, node, \
                dynkvd_metric_get(&metrics->name));
    DYNKVD_METRICS(METRIC_LINE)
#undef METRIC_LINE
}

/* ---- / ---- */

static void html_cell(struct dynkv_buf *out, struct dynkv_slice text)
{
    print(out, "<td>");
    print_html(out, text);
    print(out, "</td>");
}

static void html_row(struct dynkv_buf *out, struct dynkv_slice name, uint64_t value)
{
    print(out, "<tr>");
    html_cell(out, name);
    print(out, "<td class=n>%" PRIu64 "</td></tr>\n", value);
}

static void render_html(const struct dynkv_status_reply *status, struct dynkvd_metrics *metrics,
                        struct dynkv_buf *out)
{
    print(out, "<!DOCTYPE html><html lang=en><meta charset=utf-8><meta http-equiv=refresh "
               "content=5><title>dynkv ");
    print_html(out, status->node_name);
    print(out, "</title><style>body{font:15px sans-serif;margin:2em}td,th{padding:.2em 1em;"
               "text-align:left;border-bottom:1px solid #ddd}.n{text-align:right}.down{color:#b00}"
               "</style>\n<h1>dynkv node ");
    print_html(out, status->node_name);
    print(out,
          "</h1>\n<p>%s, up for %" PRIu64 " s, cluster %016" PRIx64 ", %u partitions, storage ",
          dynkvd_metric_get(&metrics->out_of_service) ? "<b class=down>out of service</b>"
                                                      : "in service",
          status->uptime_ms / 1000, status->cluster_id, status->partitions);
    print_html(out, status->storage);
    if (status->phase)
        print(out, ". A change of the members is %s", change_word(status));
    print(out, ". <a href=/status>JSON</a> <a href=/metrics>metrics</a></p>\n<h2>Members</h2>\n"
               "<table><tr><th>name<th>state<th>role<th>zone<th>clients<th>peers<th>weight</tr>\n");
    for (uint32_t i = 0; i < status->member_count; i++) {
        const struct dynkv_member *member = &status->members[i];
        const char *state = member_state(status, member);

        print(out, "<tr>");
        html_cell(out, member->name);
        print(out, "<td class=%s>%s</td><td>%s</td>", state, state, member_role(status, member));
        html_cell(out, member->zone);
        html_cell(out, member->client_url);
        html_cell(out, member->peer_url);
        print(out, "<td class=n>%u</td></tr>\n", member->weight);
    }
    print(out, "</table>\n<h2>Counters</h2>\n<table>\n");
    for (uint32_t i = 0; i < status->counter_count; i++)
        html_row(out, status->counters[i].name, status->counters[i].value);
#define HTML_METRIC(name, kind, help) \
    html_row(out, dynkv_slice_text(#name), dynkvd_metric_get(&metrics->name));
    DYNKVD_METRICS(HTML_METRIC)
#undef HTML_METRIC
    print(out, "</table></html>\n");
}

void dynkvd_page_render(enum dynkvd_page_kind kind, const struct dynkv_status_reply *status,
                        struct dynkvd_metrics *metrics, struct dynkv_buf *out)
{
    switch (kind) {
    case DYNKVD_PAGE_HTML:
        render_html(status, metrics, out);
        break;
    case DYNKVD_PAGE_JSON:
        render_json(status, metrics, out);
        break;
    case DYNKVD_PAGE_METRICS:
        render_metrics(status, metrics, out);
        break;
    }
}
