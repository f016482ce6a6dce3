/* key_text.c: a key as messages show it. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "fdw/codec.h"

char *dynkv_codec_describe_key(DynkvCodec *codec, Relation rel, struct dynkv_slice key)
{
    TupleDesc desc = RelationGetDescr(rel);
    Datum *values = palloc(sizeof *values * (Size)desc->natts);
    bool *nulls = palloc(sizeof *nulls * (Size)desc->natts);
    Bitmapset *wanted = NULL;
    StringInfoData names, texts;
    int count = dynkv_codec_key_count(codec);

    for (int i = 0; i < count; i++)
        wanted = bms_add_member(wanted, dynkv_codec_key_attno(codec, i));
    dynkv_codec_get_row(codec, key, dynkv_slice(NULL, 0), wanted, values, nulls);
    initStringInfo(&names);
    initStringInfo(&texts);
    for (int i = 0; i < count; i++) {
        AttrNumber attno = dynkv_codec_key_attno(codec, i);
        Form_pg_attribute att = TupleDescAttr(desc, attno - 1);
        Oid output;
        bool is_varlena;

        getTypeOutputInfo(att->atttypid, &output, &is_varlena);
        appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", NameStr(att->attname));
        appendStringInfo(&texts, "%s%s", i > 0 ? ", " : "",
                         OidOutputFunctionCall(output, values[attno - 1]));
    }
    return psprintf("(%s)=(%s)", names.data, texts.data);
}
