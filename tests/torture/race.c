/* race.c: two threads that write to the same place without a lock: what a tool
 * that looks for races must find, or its silence about others says nothing. */
#include <pthread.h>
#include <stdlib.h>

enum { ROUNDS = 100 };

static void *count_up(void *context)
{
    volatile int *number = context;
    for (int i = 0; i < ROUNDS; i++) {
        (*number)++;
    }
    return NULL;
}

int main(void)
{
    int number = 0;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, count_up, &number) != 0) {
            return EXIT_FAILURE;
        }
    }
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return EXIT_SUCCESS;
}
