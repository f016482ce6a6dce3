/*
 * key_network.c: inet and cidr key columns.
 *
 * PostgreSQL compares addresses by family, then by the bits of the shorter network, then by the
 * network's length, then by the whole address.  The network (the address with its host bits zero)
 * before the length gives the same order: zeros are the least that could follow the shorter network.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "utils/inet.h"

#include "fdw/key_codec.h"

#define FAMILY_4      4
#define FAMILY_6      6
#define ADDRESS_BYTES 16

static void network_mask(const uint8 *address, int bits, int size, uint8 *network)
{
    int i;

    for (i = 0; i < size; i++) {
        int left = bits - 8 * i;
        int host_bits = left >= 8 ? 0 : left <= 0 ? 8 : 8 - left;

        network[i] = (uint8)(address[i] & (0xff << host_bits));
    }
}

void dynkv_key_put_network(Datum value, StringInfo out)
{
    inet *address = DatumGetInetPP(value);
    bool is_6 = ip_family(address) == PGSQL_AF_INET6;
    int size = is_6 ? 16 : 4;
    uint8 network[ADDRESS_BYTES];

    network_mask(ip_addr(address), ip_bits(address), size, network);
    dynkv_key_put_bits(out, is_6 ? FAMILY_6 : FAMILY_4, 1);
    appendBinaryStringInfo(out, (const char *)network, size);
    dynkv_key_put_bits(out, ip_bits(address), 1);
    appendBinaryStringInfo(out, (const char *)ip_addr(address), size);
}

Datum dynkv_key_get_network(DynkvKeyColumn *key, struct dynkv_cursor *in, bool wanted,
                            const DynkvPlace *place)
{
    uint8 family = dynkv_get_u8(in);
    size_t size = family == FAMILY_6 ? 16 : 4;
    struct dynkv_slice network = dynkv_get_raw(in, size);
    uint8 bits = dynkv_get_u8(in);
    struct dynkv_slice host = dynkv_get_raw(in, size);
    uint8 masked[ADDRESS_BYTES];
    inet *address;

    if (in->failed)
        return (Datum)0;
    if ((family != FAMILY_4 && family != FAMILY_6) || bits > 8 * size)
        dynkv_key_malformed(place, "its key bytes are no network address");
    network_mask(host.data, bits, (int)size, masked);
    if (memcmp(masked, network.data, size) != 0)
        dynkv_key_malformed(place, "its key bytes are an address outside its network");
    if (key->kind == DYNKV_KEY_CIDR && memcmp(masked, host.data, size) != 0)
        dynkv_key_malformed(place, "its key bytes are an address, not a network");
    if (!wanted)
        return (Datum)0;

    address = palloc0(sizeof *address);
    ip_family(address) = family == FAMILY_6 ? PGSQL_AF_INET6 : PGSQL_AF_INET;
    ip_bits(address) = bits;
    memcpy(ip_addr(address), host.data, size);
    SET_INET_VARSIZE(address);
    return InetPGetDatum(address);
}
