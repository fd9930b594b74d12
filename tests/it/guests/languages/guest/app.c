// A worker in C, without a library: state is what static variables hold. It speaks the canonical ABI of components itself:
// strings are a pointer and a length, results that do not fit one number are written where the caller says.
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
#define STUB "lang:counter-stub/stub-counter"

IMPORT(STUB, "[constructor]counting") extern int32_t counting_new(const char *uri, uint32_t uri_bytes);
IMPORT(STUB, "[method]counting.blocking-add") extern void counting_blocking_add(int32_t self, uint64_t value);
IMPORT(STUB, "[method]counting.blocking-get") extern uint64_t counting_blocking_get(int32_t self);
IMPORT(STUB, "[resource-drop]counting") extern void counting_drop(int32_t self);

// What comes in is small and gone after the call, so one buffer serves all calls.
static char arena[1 << 16];
static uint32_t used;

EXPORT("cabi_realloc")
void *cabi_realloc(void *old, uint32_t old_bytes, uint32_t align, uint32_t bytes) {
	(void)old, (void)old_bytes;
	uint32_t at = (used + align - 1) & ~(align - 1);
	if (at + bytes > sizeof arena) __builtin_trap();
	used = at + bytes;
	return arena + at;
}

static uint32_t calls;
static char answer[512];
static struct { const char *text; uint32_t bytes; } result;

static uint32_t put(uint32_t at, const char *text, uint32_t bytes) {
	for (uint32_t i = 0; i < bytes && at < sizeof answer; i++) answer[at++] = text[i];
	return at;
}

EXPORT("lang:guest/talk#greet")
void *greet(const char *name, uint32_t name_bytes) {
	static const char hello[] = "hello ", from[] = " from C, ";
	char digits[10];
	uint32_t first = sizeof digits, n = ++calls, at = 0;
	do digits[--first] = (char)('0' + n % 10); while (n /= 10);
	at = put(at, hello, sizeof hello - 1);
	at = put(at, name, name_bytes);
	at = put(at, from, sizeof from - 1);
	at = put(at, digits + first, sizeof digits - first);
	result.text = answer;
	result.bytes = at;
	used = 0;
	return &result;
}

EXPORT("lang:guest/talk#count")
uint64_t count(const char *uri, uint32_t uri_bytes, uint64_t value) {
	int32_t client = counting_new(uri, uri_bytes);
	counting_blocking_add(client, value);
	uint64_t total = counting_blocking_get(client);
	counting_drop(client);
	used = 0;
	return total;
}
