/* Calls functions of a library of kernels, such as one for another processor that an emulator runs.
 *
 * Usage: emulated LIBRARY. It answers the calls on its standard input until that ends. A call: the length of a
 * function's name and the name, the number of arguments, and each of them: 'a', a length in bytes and an array; 'i'
 * and a whole number or an address; or 'f' and a float32, of which there may be one. The answer: what the function
 * returned, and all arrays as it left them. All whole numbers are int64 in the order of this processor. Functions of
 * the C library can be called too, such as those for memory.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_ARGUMENTS 10

/* Under Linux, x86-64 and ARM pass floats in registers of their own, and each whole number or pointer in a register
 * or in 8 bytes of the stack: so one type serves for every function. */
typedef int64_t (*Function)(float, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                            int64_t);

typedef struct {
    void *at;
    size_t bytes;
} Array;

static void fail(const char *why) {
    fprintf(stderr, "emulated: %s\n", why);
    exit(1);
}

static void take(void *at, size_t bytes) {
    if (fread(at, 1, bytes, stdin) != bytes) fail("the call ends too early");
}

static int64_t take_number(void) {
    int64_t number;
    take(&number, sizeof number);
    return number;
}

static Function take_function(void *library, int64_t length) {
    char name[64] = {0};
    if (length >= (int64_t)sizeof name) fail("the function's name is too long");
    take(name, (size_t)length);
    void *found = dlsym(library, name);
    if (found == NULL) fail(dlerror());
    return (Function)(intptr_t)found;
}

/* Aligned as the widest vector. */
static Array take_array(void) {
    Array array = {.bytes = (size_t)take_number()};
    array.at = aligned_alloc(64, (array.bytes + 64) / 64 * 64);
    if (array.at == NULL) fail("there is no memory for an array");
    take(array.at, array.bytes);
    return array;
}

static void answer_call(void *library, int64_t name_length) {
    const Function function = take_function(library, name_length);
    int64_t a[MOST_ARGUMENTS] = {0}, count = take_number(), arrays = 0;
    Array array[MOST_ARGUMENTS];
    float real = 0.0f;
    for (int64_t i = 0, whole = 0; i < count; i++) {
        const int kind = getchar();
        if (kind == 'f') {
            take(&real, sizeof real);
            continue;
        }
        if (whole == MOST_ARGUMENTS) fail("there are too many arguments");
        if (kind == 'a') {
            array[arrays] = take_array();
            a[whole++] = (intptr_t)array[arrays++].at;
        } else {
            a[whole++] = take_number();
        }
    }
    const int64_t result = function(real, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
    fwrite(&result, sizeof result, 1, stdout);
    for (int64_t i = 0; i < arrays; i++) {
        fwrite(array[i].at, 1, array[i].bytes, stdout);
        free(array[i].at);
    }
    fflush(stdout);
}

int main(int count, char **arguments) {
    void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (library == NULL) fail(count == 2 ? dlerror() : "usage: emulated LIBRARY");
    int64_t name_length;
    while (fread(&name_length, sizeof name_length, 1, stdin) == 1) answer_call(library, name_length);
    return 0;
}
