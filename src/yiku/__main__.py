"""`python -m yiku` is `yiku`."""

from yiku.cli.main import main

if __name__ == "__main__":
    main()
