// Generates a JSON document of N records, parses it into a tree ROUNDS times and sums it up: json [N] [ROUNDS]
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NIL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT };

struct node
{
    enum kind kind;
    double number;
    const char *name, *text; // Neither ends with a zero: lengths are beside them.
    int nameLength, length;
    struct node *first, *next;
};

static struct node *pool;
static size_t used, room;
static const char *at, *end;

static void fail(const char *why)
{
    printf("refused: %s\n", why);
    exit(1);
}

static struct node *make(enum kind kind)
{
    if (used == room)
        fail("too many nodes");
    struct node *node = &pool[used++];
    memset(node, 0, sizeof *node);
    node->kind = kind;
    return node;
}

static void space(void)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
}

static void expect(char c)
{
    if (at == end || *at != c)
        fail("unexpected character");
    at++;
}

static const char *string(int *length)
{
    expect('"');
    const char *start = at;
    while (at < end && *at != '"')
        at += *at == '\\' ? 2 : 1;
    if (at >= end)
        fail("a string without end");
    *length = (int)(at++ - start);
    return start;
}

static double number(void)
{
    int negative = at < end && *at == '-';
    at += negative;
    double value = 0, scale = 1;
    while (at < end && *at >= '0' && *at <= '9')
        value = value * 10 + (*at++ - '0');
    if (at < end && *at == '.')
        for (at++; at < end && *at >= '0' && *at <= '9'; at++)
        {
            scale *= 10;
            value = value * 10 + (*at - '0');
        }
    return (negative ? -value : value) / scale;
}

static struct node *value(int depth)
{
    if (depth > 100)
        fail("too deep");
    space();
    if (at == end)
        fail("nothing");
    struct node *node, **tail;
    switch (*at)
    {
    case '{':
    case '[':
        node = make(*at == '{' ? OBJECT : ARRAY);
        tail = &node->first;
        at++;
        char close = node->kind == OBJECT ? '}' : ']';
        space();
        if (at < end && *at == close)
        {
            at++;
            return node;
        }
        for (;;)
        {
            const char *name = 0;
            int length = 0;
            if (node->kind == OBJECT)
            {
                space();
                name = string(&length);
                space();
                expect(':');
            }
            struct node *child = value(depth + 1);
            child->name = name, child->nameLength = length;
            *tail = child, tail = &child->next;
            space();
            if (at < end && *at == ',')
            {
                at++;
                continue;
            }
            expect(close);
            return node;
        }
    case '"':
        node = make(STRING);
        node->text = string(&node->length);
        return node;
    case 't':
    case 'f':
        node = make(BOOLEAN);
        node->number = *at == 't';
        at += *at == 't' ? 4 : 5;
        return node;
    case 'n':
        at += 4;
        return make(NIL);
    default:
        node = make(NUMBER);
        node->number = number();
        return node;
    }
}

static double total;
static uint32_t digest;

static void visit(const struct node *node)
{
    digest = (digest ^ (uint32_t)node->kind) * 16777619;
    for (int i = 0; i < node->nameLength; i++)
        digest = (digest ^ (uint8_t)node->name[i]) * 16777619;
    for (int i = 0; i < node->length; i++)
        digest = (digest ^ (uint8_t)node->text[i]) * 16777619;
    total += node->number;
    for (const struct node *child = node->first; child; child = child->next)
        visit(child);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 20000, rounds = argc > 2 ? atoi(argv[2]) : 60;
    size_t size = (size_t)n * 200 + 16, length = 0;
    char *text = malloc(size);
    room = (size_t)n * 16 + 16;
    pool = malloc(room * sizeof *pool);
    if (!text || !pool)
        return 1;
    text[length++] = '[';
    for (int i = 0; i < n; i++)
        length += snprintf(text + length, size - length,
            "%s\n  {\"id\": %d, \"name\": \"item \\\"%d\\\"\", \"price\": %d.%02d, \"tags\": [\"a%d\", \"b\", null, true], \"nested\": {\"x\": -%d, \"y\": []}}",
            i ? "," : "", i, i * 31, i % 977, i % 100, i % 7, i * 3);
    text[length++] = ']';
    for (int round = 0; round < rounds; round++)
    {
        used = 0, total = 0, digest = 2166136261;
        at = text, end = text + length;
        visit(value(0));
    }
    printf("%zu bytes, %zu nodes, %08x, %.2f\n", length, used, (unsigned)digest, total);
    return 0;
}
