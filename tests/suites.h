/* suites.h: the list of test suites, written once.  Suite NAME is the constant
 * test_NAME in tests/test_NAME.c; the Makefile reads the names from here. */
#ifndef SUITES_H
#define SUITES_H

#define TEST_SUITES(X)                                                         \
    X(bytes)                                                                   \
    X(error)                                                                   \
    X(batch)                                                                   \
    X(crc32c)                                                                  \
    X(siphash)                                                                 \
    X(clock)                                                                   \
    X(diag)                                                                    \
    X(file)                                                                    \
    X(buffer)                                                                  \
    X(glob)                                                                    \
    X(decimal)                                                                 \
    X(stats)                                                                   \
    X(table)                                                                   \
    X(table_model)                                                             \
    X(table_threads)                                                           \
    X(wal)                                                                     \
    X(wal_segments)                                                            \
    X(wal_damage)                                                              \
    X(wal_files)                                                               \
    X(wal_salvage)                                                             \
    X(backup)                                                                  \
    X(storage)                                                                 \
    X(storage_files)                                                           \
    X(storage_lost)                                                            \
    X(storage_model)                                                           \
    X(storage_growth)                                                          \
    X(storage_moment)                                                          \
    X(storage_retain)                                                          \
    X(storage_threads)                                                         \
    X(snapshot)                                                                \
    X(store)                                                                   \
    X(strings)                                                                 \
    X(env_file)                                                                \
    X(setting)                                                                 \
    X(config)                                                                  \
    X(settings_documents)                                                      \
    X(machine)                                                                 \
    X(process)                                                                 \
    X(plan)                                                                    \
    X(client)                                                                  \
    X(client_lost)                                                             \
    X(client_options)                                                          \
    X(client_moment)                                                           \
    X(client_check)                                                            \
    X(histogram)                                                               \
    X(zipf)                                                                    \
    X(text)                                                                    \
    X(format)                                                                  \
    X(progress)                                                                \
    X(resume)                                                                  \
    X(sender)                                                                  \
    X(wire)                                                                    \
    X(resp)                                                                    \
    X(resp_limits)                                                             \
    X(resp_reply)                                                              \
    X(conn)                                                                    \
    X(conn_chains)                                                             \
    X(server)                                                                  \
    X(deadline)                                                                \
    X(server_limits)                                                           \
    X(server_descriptors)                                                      \
    X(server_late)                                                             \
    X(server_stop)                                                             \
    X(server_stall)                                                            \
    X(server_threads)                                                          \
    X(linear)                                                                  \
    X(linear_random)                                                           \
    X(support)

#endif
