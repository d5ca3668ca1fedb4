/* replay.c: feeds a fuzzer's entrance with the files that are named, so that a
 * corpus can be tried without libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { INPUT_MAX = 1 << 20 };

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *room = malloc(INPUT_MAX);
    uint8_t *exact = NULL;
    int result = EXIT_FAILURE;
    if (file == NULL || room == NULL) {
        goto done;
    }
    size_t size = fread(room, 1, INPUT_MAX, file);
    /* Of exactly its size, so that a read past its end is seen. */
    exact = malloc(size > 0 ? size : 1);
    if (exact == NULL || ferror(file) || !feof(file)) {
        goto done;
    }
    memcpy(exact, room, size);
    result = LLVMFuzzerTestOneInput(exact, size);
done:
    if (result != 0) {
        perror(path);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    free(room);
    free(exact);
    return result;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (replay(argv[i]) != 0) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
