"""`python -m farebox.cli`."""

from farebox.cli.main import main

if __name__ == "__main__":
    main()
