"""What benchmarks.receiver, .kill and .soak share: processes, requests, clients, other stores, pages."""
