#include "client_bench/zipf.h"

#include <assert.h>
#include <math.h>

/* Terms that are summed one by one; the integral stands for the others, with
 * an error far below one part in a million. */
enum { EXACT_MAX = 100000 };

static double sum_terms(uint64_t count, double theta)
{
    double sum = 0;
    uint64_t exact = count < EXACT_MAX ? count : EXACT_MAX;
    for (uint64_t k = 1; k <= exact; k++) {
        sum += pow((double)k, -theta);
    }
    if (count > exact) {
        /* Euler and Maclaurin, to the trapezoid's term */
        double from = (double)exact;
        double to = (double)count;
        sum += (pow(to, 1 - theta) - pow(from, 1 - theta)) / (1 - theta);
        sum += (pow(to, -theta) - pow(from, -theta)) / 2;
    }
    return sum;
}

void zipf_init(struct zipf *zipf, uint64_t count, double theta)
{
    assert(count > 0 && theta > 0 && theta < 1);
    zipf->count = count;
    zipf->theta = theta;
    zipf->alpha = 1 / (1 - theta);
    zipf->zeta = sum_terms(count, theta);
    zipf->eta = 0; /* of one or two numbers it is not needed */
    if (count > 2) {
        zipf->eta = (1 - pow(2 / (double)count, 1 - theta)) /
                    (1 - sum_terms(2, theta) / zipf->zeta);
    }
}

uint64_t zipf_next(const struct zipf *zipf, double uniform)
{
    assert(uniform >= 0 && uniform < 1);
    double area = uniform * zipf->zeta;
    if (area < 1) {
        return 0;
    }
    uint64_t number = 1;
    if (area >= 1 + pow(0.5, zipf->theta)) {
        number =
            (uint64_t)((double)zipf->count *
                       pow(zipf->eta * uniform - zipf->eta + 1, zipf->alpha));
    }
    return number < zipf->count ? number : zipf->count - 1;
}
