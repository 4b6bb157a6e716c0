/** Stacks of an invented shop: four services, native, kernel and just-in-time code. */

export const SERVICES = ['checkout', 'pricing', 'web-bff', 'cart-cache'];

/** Name, weight in A and in B per minute, children. Weights are of the node alone. */
type Call = readonly [name: string, a: number, b: number, children?: readonly Call[]];

const SYSCALL: readonly Call[] = [
  [
    'entry_SYSCALL_64_after_hwframe@[kernel]{kernel}',
    1,
    1,
    [
      [
        'do_syscall_64@[kernel]{kernel}',
        9,
        9,
        [
          [
            'tcp_sendmsg_locked@[kernel]{kernel}',
            12,
            12,
            [
              [
                'tcp_write_xmit@[kernel]{kernel}',
                14,
                14,
                [
                  ['__dev_queue_xmit@[kernel]{kernel}', 9, 9],
                  ['try_to_wake_up@[kernel]{kernel}', 15, 15],
                ],
              ],
              ['copy_user_enhanced_fast_string@[kernel]{kernel}', 21, 21],
            ],
          ],
          ['ep_poll@[kernel]{kernel}', 11, 11, [['__schedule@[kernel]{kernel}', 12, 12]]],
        ],
      ],
    ],
  ],
];
const MALLOC: readonly Call[] = [
  ['malloc@libjemalloc.so.2', 21, 21, [['je_extent_alloc_mmap@libjemalloc.so.2', 6, 6]]],
];
const COPY: Call = ['__memmove_avx_unaligned_erms@libc.so.6', 16, 16];

const CHECKOUT: Call = [
  'runtime.goexit@checkout',
  0,
  0,
  [
    [
      'net/http.(*conn).serve@checkout',
      6,
      6,
      [
        [
          'net/http.serverHandler.ServeHTTP@checkout',
          4,
          4,
          [
            [
              'github.com/go-chi/chi/v5.(*Mux).routeHTTP@checkout',
              8,
              8,
              [
                ['github.com/go-chi/chi/v5.(*node).findRoute@checkout', 24, 24],
                [
                  'github.com/acme/checkout/api.(*Server).handleCheckout@checkout',
                  9,
                  9,
                  [
                    [
                      'github.com/acme/checkout/cart.(*RuleSet).Match@checkout',
                      20,
                      22,
                      [
                        [
                          'regexp/syntax.Parse@checkout',
                          0,
                          18,
                          [['regexp.compileOnePass@checkout', 0, 14]],
                        ],
                        ['strings.Fields@checkout', 9, 9],
                      ],
                    ],
                    [
                      'encoding/json.Marshal@checkout',
                      14,
                      14,
                      [
                        [
                          'encoding/json.structEncoder.encode@checkout',
                          26,
                          26,
                          [
                            ['encoding/json.appendString[...]@checkout', 19, 19],
                            [
                              'runtime.mallocgc@checkout',
                              15,
                              17,
                              [['runtime.nextFreeFast@checkout', 16, 20]],
                            ],
                          ],
                        ],
                      ],
                    ],
                    [
                      'database/sql.(*DB).QueryContext@checkout',
                      12,
                      12,
                      [['github.com/lib/pq.(*conn).simpleQuery@checkout', 16, 16, SYSCALL]],
                    ],
                  ],
                ],
              ],
            ],
          ],
        ],
        ['bufio.(*Writer).Flush@checkout', 4, 4, SYSCALL],
      ],
    ],
    [
      'runtime.gcBgMarkWorker@checkout',
      3,
      3,
      [
        [
          'runtime.gcDrain@checkout',
          14,
          10,
          [
            ['runtime.scanobject@checkout', 36, 26],
            ['runtime.greyobject@checkout', 12, 9],
          ],
        ],
      ],
    ],
  ],
];
const PRICING: Call = [
  '__clone3@libc.so.6',
  0,
  0,
  [
    [
      'start_thread@libc.so.6',
      2,
      2,
      [
        [
          'execute_native_thread_routine@libstdc++.so.6',
          1,
          1,
          [
            [
              'acme::pricing::WorkerPool::Run(unsigned int)@pricing-engine',
              7,
              7,
              [
                [
                  'acme::pricing::QuoteHandler::Handle(acme::Quote const&)@pricing-engine',
                  14,
                  14,
                  [
                    [
                      'acme::pricing::Engine::Evaluate(acme::Cart const&) const@pricing-engine',
                      26,
                      26,
                      [
                        [
                          'std::_Hashtable<std::string, acme::Rule>::_M_find_before_node@pricing-engine',
                          26,
                          0,
                        ],
                        [
                          'absl::container_internal::raw_hash_set<acme::Policy>::find@pricing-engine',
                          0,
                          16,
                        ],
                        ['std::__lower_bound<acme::Rule const*>@pricing-engine', 20, 20],
                        ['__memcmp_avx2_movbe@libc.so.6', 23, 16],
                        [
                          'acme::Decimal<10, 4>::operator*(acme::Decimal<10, 4> const&)@pricing-engine',
                          14,
                          14,
                        ],
                      ],
                    ],
                    [
                      'google::protobuf::MessageLite::SerializeToString() const@libprotobuf.so.32',
                      9,
                      9,
                      [
                        [
                          'google::protobuf::internal::WireFormat::_InternalSerialize@libprotobuf.so.32',
                          16,
                          15,
                        ],
                        COPY,
                      ],
                    ],
                  ],
                ],
                [
                  'libvendor.so+0x4f1a20@libvendor.so{unknown}',
                  9,
                  9,
                  [['libvendor.so+0x51003e@libvendor.so{unknown}', 6, 6]],
                ],
                ['operator new(unsigned long)@libstdc++.so.6', 6, 6, MALLOC],
              ],
            ],
          ],
        ],
      ],
    ],
  ],
];
const BFF: Call = [
  '__libc_start_call_main@libc.so.6',
  0,
  0,
  [
    [
      'node::SpinEventLoopInternal(node::Environment*)@node',
      3,
      3,
      [
        [
          'uv_run@node',
          5,
          5,
          [
            [
              'uv__io_poll@node',
              9,
              9,
              [
                [
                  'Builtins_JSEntryTrampoline@node',
                  6,
                  6,
                  [
                    [
                      'LazyCompile:*renderCart /srv/bff/src/pages/cart.js:14:3@[jit]{jit}',
                      12,
                      14,
                      [
                        [
                          'LazyCompile:*renderElement /srv/bff/node_modules/react-dom/server.js:9:1@[jit]{jit}',
                          19,
                          23,
                        ],
                        ['Builtins_RegExpPrototypeExec@node', 17, 20],
                        ['Builtins_JsonStringify@node', 12, 14],
                      ],
                    ],
                    [
                      'LazyCompile:~next /srv/bff/node_modules/fastify/hooks.js:3:1@[jit]{jit}',
                      12,
                      12,
                    ],
                  ],
                ],
                ['deflate_slow@libz.so.1', 8, 13, [['longest_match@libz.so.1', 14, 29]]],
              ],
            ],
          ],
        ],
      ],
    ],
    ['v8::internal::ConcurrentMarking::RunMajor(v8::JobDelegate*)@node', 19, 19],
  ],
];
const CACHE: Call = [
  'main@redis-server',
  1,
  1,
  [
    [
      'aeMain@redis-server',
      3,
      3,
      [
        [
          'aeProcessEvents@redis-server',
          4,
          4,
          [
            [
              'readQueryFromClient@redis-server',
              9,
              9,
              [['processCommand@redis-server', 12, 12, [['dictFind@redis-server', 9, 9]]]],
            ],
            ['writeToClient@redis-server', 3, 3, SYSCALL],
          ],
        ],
      ],
    ],
  ],
];
const ROOTS: readonly Call[] = [CHECKOUT, PRICING, BFF, CACHE];

/** Folded lines of one side for so many minutes. */
export function folded(side: 'a' | 'b', minutes: number): string {
  const lines: string[] = [];
  const walk = (path: string, [name, a, b, children = []]: Call, scale: number): void => {
    const here = `${path};${name}`;
    const value = Math.round((side === 'a' ? a : b) * scale);
    if (value > 0) lines.push(`${here} ${value}`);
    for (const child of children) walk(here, child, scale);
  };
  ROOTS.forEach((root, index) => {
    walk(`${SERVICES[index] ?? ''}{label}`, root, minutes * [12, 12, 11, 11][index]!);
  });
  return `${lines.join('\n')}\n`;
}
