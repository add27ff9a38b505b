"""What leaves the service: /metrics, webhooks, the file of events. Names, numbers and ids, never content.

board -> metrics.render -> GET /metrics                          labels.py: every name on its way out
happening -> events.Events -> live/events.jsonl                  words.py: sentences, which name no cause
          -> webhooks.Webhooks -> one thread a hook -> sender.py -> post.py -> addresses.py -> socket
                                       `-> alerts.py: Alertmanager's form; ledger.py: what was delivered
"""
