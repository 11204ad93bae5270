class SelfTests:
    pass
