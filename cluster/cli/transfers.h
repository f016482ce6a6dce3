/*
 * transfers.h: how much a change of the membership moves, as the members tell it.
 */
#ifndef DYNKV_CLI_TRANSFERS_H
#define DYNKV_CLI_TRANSFERS_H

#include "cli/command.h"
#include "cli/plan.h"

/*
 * One for each member of the plan, in their order, on the heap.  It is an extra: who does not answer within a
 * second is done without.
 */
struct dynkv_plan_transfer *dynkv_cli_transfers(struct dynkv_cli *cli,
                                                const struct dynkv_cluster_plan *plan);

#endif
